//! The filter learns from IPsec through which tunnel a packet came.

use alloc::sync::Arc;

use hostward_filter::Tunnels;
use hostward_hook::ident::{SaId, TunnelId};
use hostward_ipsec::Directory;

/// The associations of a host, for its filter:
/// `Filter::new(rules).tunnels(Arc::new(Associations(directory)))`.
///
/// The rules name tunnels by the numbers under which they were installed.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an adapter for one thing")]
pub struct Associations(pub Arc<Directory>);

impl Tunnels for Associations {
    #[inline]
    fn tunnel_of(&self, sa: SaId) -> Option<TunnelId> {
        self.0.tunnel_of(sa)
    }
}
