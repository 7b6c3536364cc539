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
    hostward as guard, hostward_filter as filter, hostward_ids as ids, hostward_policy as policy,
    hostward_smf as smf, hostward_zert as zert,
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

/// The C runtime calls it.
// SAFETY: the one definition of main in this program, with the signature C expects of it when the
// arguments are not looked at.
#[unsafe(no_mangle)]
extern "C" fn main(_: i32, _: *const *const u8) -> i32 {
    let result = core_tier();
    #[cfg(feature = "alloc")]
    let result = result.and_then(|()| alloc_tier());
    result.err().unwrap_or(0)
}
