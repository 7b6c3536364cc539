//! Times of things done over and over: thread CPU time, the things taken in turn, medians of rounds.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Does something so many times and tells the CPU time of this thread that it took.
pub(super) type Work<'a> = Box<dyn FnMut(u32) -> Duration + 'a>;

/// Work that is the same thing again and again.
pub(super) fn again<'a>(mut once: impl FnMut() + 'a) -> Work<'a> {
    Box::new(move |times| {
        let start = now();
        for _ in 0..times {
            once();
        }
        now().saturating_sub(start)
    })
}

/// Work that uses up what it works on: `refill` makes `many` anew, whose time does not count, then `use_up` takes
/// them. What asking for the time takes is subtracted.
pub(super) fn used_up<'a>(
    many: u32,
    mut refill_and_use: impl FnMut(&mut dyn FnMut()) + 'a,
) -> Work<'a> {
    Box::new(move |times| {
        let clock = (0..32).map(|_| {
            let start = now();
            now().saturating_sub(start)
        });
        let clock = clock.min().unwrap_or_default();
        let mut taken = Duration::ZERO;
        let mut done = 0;
        while done < times.max(1) {
            let mut start = Duration::ZERO;
            refill_and_use(&mut || start = now());
            taken += now().saturating_sub(start).saturating_sub(clock);
            done += many;
        }
        // For so many times, however many they were.
        taken.mul_f64(f64::from(times) / f64::from(done))
    })
}

/// CPU time of this thread so far.
fn now() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// Nanoseconds that each takes once: medians of `rounds`, in which they take turns, after one round that is
/// thrown away. A round of each takes about 0.2 ms, so that asking for the time does not count.
pub(super) fn medians(works: &mut [Work<'_>], rounds: u32) -> Vec<f64> {
    const ROUND_NS: f64 = 200_000.0;
    const MOST: f64 = 100_000.0;
    let mut taken: Vec<(u32, Vec<f64>)> = works
        .iter_mut()
        .map(|work| {
            // The first time finds tables to be filled; the second tells how long it takes.
            let _ = work(1);
            let once = (work(16).as_nanos() as f64 / 16.0).max(1.0);
            // Within 1 and 100,000.
            let times = (ROUND_NS / once).clamp(1.0, MOST) as u32;
            (times, Vec::with_capacity(rounds as usize))
        })
        .collect();
    for round in 0..=rounds {
        for (work, (times, taken)) in works.iter_mut().zip(&mut taken) {
            let ns = work(*times).as_nanos() as f64 / f64::from(*times);
            if round > 0 {
                taken.push(ns);
            }
        }
    }
    taken.into_iter().map(|(_, ns)| median(ns)).collect()
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn twice_the_work_takes_longer() {
        let spin = |length: u64| -> Work<'static> {
            again(move || {
                black_box((0..length).fold(0, |a, b| black_box(a ^ b)));
            })
        };
        let took = medians(&mut [spin(100), spin(10_000)], 5);
        assert!(took[0] > 0.0 && took[1] > 10.0 * took[0], "{took:?}");
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
