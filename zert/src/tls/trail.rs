//! What is followed of a session up to TLS 1.2 once both sides have switched to what was
//! negotiated: whether each sends application data, by the heads of its records. A side may be
//! silent for ever, and so little may be kept as long.

use hostward_hook::Side;
use hostward_hook::hooks::Interest;

use super::records::{ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HEARTBEAT, LONGEST, Position};
use super::session::ENOUGH_RECORDS;
use crate::pair::Pair;
use crate::record::Alert;

/// One side.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    pub(crate) at: Position,
    /// Nothing more is wanted from it.
    pub(crate) done: bool,
}

/// Both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trail {
    pub(crate) ends: Pair<End>,
    /// Who sent the client hello.
    pub(crate) client: Option<Side>,
    /// Records so far that were no application data.
    pub(crate) other_records: u16,
}

/// What a session goes on to show.
pub(crate) trait Shown {
    /// A readable alert.
    fn alert(&mut self, alert: Alert);
    /// The client (or else the server) has sent application data.
    fn application_data(&mut self, from_client: bool);
}

impl Trail {
    fn sent_by_client(&self, from: Side) -> bool {
        self.client == Some(from)
    }

    /// The next bytes of one side.
    pub(crate) fn bytes(&mut self, from: Side, data: &[u8], shown: &mut impl Shown) -> Interest {
        if !self.ends.of(from).done {
            self.read(from, data, shown);
        }
        self.interest(from)
    }

    fn read(&mut self, from: Side, mut data: &[u8], shown: &mut impl Shown) {
        let from_client = self.sent_by_client(from);
        loop {
            let end = self.ends.of_mut(from);
            let at = &mut end.at;
            if at.left > 0 {
                let n = data.len().min(at.left.into());
                let (body, rest) = data.split_at_checked(n).unwrap_or((data, &[]));
                let offset = usize::from(at.len - at.left);
                at.left -= n as u16;
                data = rest;
                if at.kind == ALERT {
                    for (i, b) in body.iter().take(2).enumerate() {
                        if let Some(place) = at.alert.get_mut(offset + i) {
                            *place = *b;
                        }
                    }
                    let [level, description] = at.alert;
                    if at.left == 0 && at.len == 2 && matches!(level, 1 | 2) {
                        shown.alert(Alert {
                            from_client,
                            fatal: level == 2,
                            description,
                            post_ccs: true,
                        });
                    }
                }
            }
            if data.is_empty() {
                return;
            }
            let have = usize::from(at.head_len);
            let n = (5 - have).min(data.len());
            let (head, rest) = data.split_at_checked(n).unwrap_or((data, &[]));
            if let Some(place) = at.head.get_mut(have..have + n) {
                place.copy_from_slice(head);
            }
            at.head_len += n as u8;
            data = rest;
            if at.head_len < 5 {
                return;
            }
            at.head_len = 0;
            let [kind, major, _, a, b] = at.head;
            let len = u16::from_be_bytes([a, b]);
            if !(CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&kind) || major != 3 || len > LONGEST {
                end.done = true;
                return;
            }
            (at.kind, at.len, at.left) = (kind, len, len);
            if kind == APPLICATION_DATA {
                if self.client.is_some() {
                    shown.application_data(from_client);
                    self.ends.of_mut(from).done = true;
                    return;
                }
            } else {
                self.other_records = self.other_records.saturating_add(1);
                if self.other_records > ENOUGH_RECORDS {
                    self.ends.initiator.done = true;
                    self.ends.responder.done = true;
                    return;
                }
            }
        }
    }

    /// Bytes of one side will never come.
    pub(crate) fn gap(&mut self, from: Side, missing: u32) -> Interest {
        let at = &mut self.ends.of_mut(from).at;
        if at.head_len == 0 && missing <= u32::from(at.left) {
            at.left -= missing as u16;
        } else {
            // A new record may begin right after the gap; its head tells.
            at.left = 0;
            at.head_len = 0;
        }
        self.interest(from)
    }

    fn interest(&self, from: Side) -> Interest {
        match (self.ends.of(from).done, self.ends.of(from.other()).done) {
            (false, _) => Interest::More,
            (true, false) => Interest::EnoughFromSide,
            (true, true) => Interest::Enough,
        }
    }
}
