//! Every crate of the suite without a standard library, run once.
//!
//! Exit status 0 means that all did what they should; the number of the failed step otherwise.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use hostward_hook as hook;
// A dependency that is never named is not loaded, and then proves nothing.
#[cfg(feature = "alloc")]
use {
    hostward as guard, hostward_crypto as crypto, hostward_filter as filter, hostward_ids as ids,
    hostward_ike as _, hostward_policy as policy, hostward_smf as smf, hostward_zert as zert,
};

use hook::frame::SliceFrame;
use hook::layout::Layout;
use hook::{ActionQueue, ActionSink, FrameBuf, Meta, Now, Packet, Point};

#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: C's abort takes nothing, has no precondition and does not return.
    unsafe { abort() }
}

/// The prebuilt core library refers to it, although nothing unwinds here.
// SAFETY: the name is the one the compiler's runtime expects, defined once in this program, and
// with panics that abort it is never called.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// The prebuilt alloc library refers to it (in `format!`).
// SAFETY: as above; with panics that abort it is never called.
#[cfg(feature = "alloc")]
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    // SAFETY: C's abort takes nothing, has no precondition and does not return.
    unsafe { abort() }
}

/// An allocator over C's, for the crates that need one.
#[cfg(feature = "alloc")]
mod allocator {
    use core::alloc::{GlobalAlloc, Layout};
    use core::ffi::c_void;

    #[link(name = "c")]
    unsafe extern "C" {
        fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
        fn free(memory: *mut c_void);
    }

    struct C;

    // SAFETY: aligned_alloc gives memory of at least the rounded-up size at the alignment asked
    // for (a power of two, as Layout guarantees), or null; free takes what it gave.
    unsafe impl GlobalAlloc for C {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let align = layout.align().max(size_of::<usize>());
            let Some(size) = layout.size().checked_next_multiple_of(align) else {
                return core::ptr::null_mut();
            };
            // SAFETY: the alignment is a power of two and divides the size.
            unsafe { aligned_alloc(align, size).cast() }
        }

        unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
            // SAFETY: the caller hands in what alloc gave.
            unsafe { free(memory.cast()) }
        }
    }

    #[global_allocator]
    static ALLOCATOR: C = C;
}

/// A TCP SYN to port 80.
const SYN: [u8; 40] = [
    0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 9, 192, 0, 2, 1, //
    0xc0, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0,
];

fn core_tier() -> Result<(), i32> {
    let layout = Layout::parse(&SYN);
    if layout.ports() != Some((0xc000, 80)) || !layout.anomalies().is_empty() {
        return Err(1);
    }
    let packet = Packet::parse(&SYN, Meta::new(Point::LocalIn, Now::default()));
    let mut memory = [0; 64];
    let mut frame = SliceFrame::new(&mut memory, 8, 8);
    if packet.key().is_none() || frame.replace(&SYN).is_err() || frame.bytes() != SYN {
        return Err(2);
    }
    let mut actions = ActionQueue::<1>::new();
    let action = hook::Action::RefreshSa {
        sa: hook::ident::SaId(1),
    };
    if !actions.act(action) || actions.act(action) || actions.poll() != Some(action) {
        return Err(3);
    }
    Ok(())
}

#[cfg(feature = "alloc")]
fn alloc_tier() -> Result<(), i32> {
    extern crate alloc;
    use alloc::sync::Arc;
    use alloc::vec;

    use filter::{Action, Filter, Rule, RuleSet, Upper};
    use guard::{Guard, GuardConfig};
    use hook::Checksums;
    use hook::flow::{FlowConfig, HashKey};
    use hook::frame::VecFrame;

    let web = Rule::new("web", Action::Permit).upper(Upper::Ports {
        protocol: 6,
        source: 80..=80,
        destination: 0..=u16::MAX,
    });
    let config = GuardConfig {
        flows: FlowConfig {
            capacity: 64,
            ..FlowConfig::default()
        },
        ..GuardConfig::default()
    };
    let mut guard = Guard::new(config, HashKey::new([1; 16]))
        .filter(Filter::new(Arc::new(RuleSet::new(vec![web], 1))))
        .ids(ids::Ids::default())
        .zert(zert::Zert::default());
    let meta = Meta::new(Point::LocalIn, Now::default()).with_checksums(Checksums::Offloaded);
    let mut frame = VecFrame::new(0, 1500);
    frame.set(&SYN);
    if !guard.packet(&mut frame, meta, &mut ()).is_continue() || guard.flows().len() != 1 {
        return Err(4);
    }
    let mut telnet = SYN;
    telnet[23] = 23;
    frame.set(&telnet);
    if !guard.packet(&mut frame, meta, &mut ()).is_refused() {
        return Err(5);
    }
    guard.finish(Now::default(), &mut ());
    if !guard.flows().is_empty() {
        return Err(6);
    }
    let language = policy::Language::full().map_err(|_| 7)?;
    let mut sources = policy::Sources::new();
    let text = b"IpService Web {\n protocol tcp\n}\n";
    let id = sources.add("policy", text.as_slice()).map_err(|_| 7)?;
    let mut messages = policy::Diagnostics::default();
    let _ = policy::Policy::read(&language, &sources, &mut messages);
    let layout = policy::format(&language, &sources, id);
    if messages.has_errors() || layout.as_deref() != Ok("IpService Web\n{\n  Protocol Tcp\n}\n") {
        return Err(7);
    }
    records()
}

/// A record through a file and back.
#[cfg(feature = "alloc")]
fn records() -> Result<(), i32> {
    let frame = smf::DumpFrame::new(false, smf::SmfDate(0x0126_326f), smf::SmfTime(0), "SYS1");
    let mut bytes = [0; smf::DumpFrame::LEN];
    let mut reader = smf::file::Reader::new();
    if frame.encode(&mut bytes).is_err() || reader.feed(&bytes) != bytes.len() {
        return Err(8);
    }
    reader.end();
    let record = reader.next_record().map_err(|_| 8)?.ok_or(8)?;
    if smf::Record::decode(record.bytes) != Ok(smf::Record::DumpFrame(frame)) {
        return Err(8);
    }
    Ok(())
}

/// Numbers that are not random: what is made of them protects nothing here.
#[cfg(feature = "alloc")]
struct Counter(u8);

#[cfg(feature = "alloc")]
impl crypto::Random for Counter {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), crypto::Failed> {
        for octet in to {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *octet = self.0;
        }
        Ok(())
    }
}

/// An Ed25519 key in PKCS#8: RFC 8032 §7.1, test 1.
#[cfg(feature = "alloc")]
const ED25519: [u8; 48] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];

/// One call of each kind.
#[cfg(feature = "alloc")]
fn crypto_calls() -> Option<()> {
    use crypto::algorithm::AesKey;
    use crypto::signature::{Signer, Signing};
    use crypto::{Aead, AeadKey, Cipher, Group, Hash, Mac, Prf, Provider, Scheme, backend};

    let provider = Provider::of([backend::RUST_CRYPTO]);
    let mut random = Counter(0);

    let aead = provider.aead(Aead::AES_256_GCM, &[1; 32]).ok()?;
    let (mut data, mut tag) = (*b"data", [0; 16]);
    aead.seal(&[2; 12], b"", &mut data, &mut tag).ok()?;
    aead.open(&[2; 12], b"", &mut data, &tag).ok()?;
    (data == *b"data").then_some(())?;
    provider
        .cipher(Cipher::AesCbc(AesKey::Aes128), &[1; 16])
        .ok()?;
    provider.block(AesKey::Aes128, &[1; 16]).ok()?;
    provider.digest(Hash::Sha256, &[b"a", b"b"]).ok()?;
    provider.mac(Mac::AesCmac, &[1; 16]).ok()?.code(&[b"data"]);
    provider.prf(Prf::AesXcbc, b"a key").ok()?.code(&[b"data"]);

    for group in [Group::Modp2048, Group::P521, Group::X25519MlKem768] {
        let begun = provider.exchange(group, &mut random).ok()?.ok()?;
        let answer = provider
            .answer(group, begun.public(), &mut random)
            .ok()?
            .ok()?;
        (begun.finish(&answer.public).ok()? == answer.secret).then_some(())?;
    }

    let key = provider.signer(&ED25519).ok()?;
    let Signing::Done(signature) = key.sign(Scheme::Ed25519, b"data", &mut random).ok()? else {
        return None;
    };
    let verify = |octets| provider.verify(Scheme::Ed25519, key.public_key(), octets, &signature);
    (verify(b"data") == Ok(Ok(())) && verify(b"date") == Ok(Err(crypto::Failed))).then_some(())
}

/// The C runtime calls it.
// SAFETY: the one definition of main in this program, with the signature C expects of it when the
// arguments are not looked at.
#[unsafe(no_mangle)]
extern "C" fn main(_: i32, _: *const *const u8) -> i32 {
    let result = core_tier();
    #[cfg(feature = "alloc")]
    let result = result
        .and_then(|()| alloc_tier())
        .and_then(|()| crypto_calls().ok_or(8));
    result.err().unwrap_or(0)
}
