//! The replay window against a list of all numbers that were received, and extended numbers against their
//! definition: the number in the 2^32 that begin with the window whose low half was sent.
#![no_main]

use std::collections::BTreeSet;

use hostward_ipsec::sa::Window;
use libfuzzer_sys::fuzz_target;

/// The number that was meant, by definition.
fn meant(top: u64, size: u32, low: u32, extended: bool) -> Option<u64> {
    if !extended {
        return Some(u64::from(low));
    }
    let bottom = i128::from(top) - (i128::from(size) - 1);
    let high = (bottom - i128::from(low)).div_euclid(1 << 32);
    (high..=high + 1)
        .map(|high| (high << 32) + i128::from(low))
        .find(|number| *number >= bottom)
        .and_then(|number| u64::try_from(number).ok())
}

fuzz_target!(|data: &[u8]| {
    let Some(([kind, a, b, start @ ..], data)) = data.split_first_chunk::<11>() else {
        return;
    };
    let extended = kind & 1 != 0;
    let size = 64 + u32::from(u16::from_be_bytes([*a, *b])) % (Window::MAX - 63);
    let mut window = Window::new(size, extended);
    let mut top = 0_u64;
    let mut seen = BTreeSet::new();
    // Begin anywhere.
    if kind & 2 != 0 {
        let start = u64::from_be_bytes(*start);
        let start = if extended { start } else { start & 0xffff_ffff };
        if start > 0 {
            window.mark(start);
            top = start;
            seen.insert(start);
        }
    }
    for op in data.as_chunks::<4>().0 {
        let word = u32::from_be_bytes(*op);
        let low = match word >> 30 {
            // Shortly before or after the highest, at the edges of the window, or anywhere.
            0 => (top as u32).wrapping_add(word & 0xff),
            1 => (top as u32).wrapping_sub(word & 0xffff),
            2 => (top as u32)
                .wrapping_sub(size)
                .wrapping_add(word & 0xff)
                .wrapping_sub(128),
            _ => word << 2,
        };
        let number = meant(top, size, low, extended).filter(|number| *number > 0);
        let fresh = number.filter(|number| {
            *number > top || (top - *number < u64::from(size) && !seen.contains(number))
        });
        assert_eq!(window.look(low).ok(), fresh, "{size} {top:#x} {low:#x}");
        if let Some(number) = fresh {
            // Not every packet is genuine.
            if word & 0x100_0000 == 0 {
                window.mark(number);
                seen.insert(number);
                top = top.max(number);
                assert!(window.look(low).is_err());
            }
        }
        assert_eq!(window.top(), top);
    }
});
