//! The nearest of some words.

/// The longest word that is compared.
const LONGEST: usize = 48;

/// The word that a misspelt one was probably meant to be: at most a third of its letters are
/// different, at most three. Case does not count. O(letters²) for each candidate, letters bounded.
pub(crate) fn nearest<'a, T: Copy>(
    word: &str,
    candidates: impl IntoIterator<Item = (&'a str, T)>,
) -> Option<(&'a str, T)> {
    let length = word.len();
    if length == 0 || length > LONGEST {
        return None;
    }
    let bound = match length {
        1 => 0,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    let mut best = None;
    let mut least = bound + 1;
    for (candidate, value) in candidates {
        if candidate.len().abs_diff(length) >= least || candidate.len() > LONGEST {
            continue;
        }
        let distance = distance(word.as_bytes(), candidate.as_bytes(), least);
        if distance < least {
            (best, least) = (Some((candidate, value)), distance);
        }
    }
    best
}

/// Insertions, deletions, replacements and swaps of neighbours; some number from `enough` on when
/// they are that many.
fn distance(a: &[u8], b: &[u8], enough: usize) -> usize {
    let mut before = [0_usize; LONGEST + 1];
    let mut above = [0_usize; LONGEST + 1];
    let mut row = [0_usize; LONGEST + 1];
    above.iter_mut().enumerate().for_each(|(i, n)| *n = i);
    let get = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX / 2);
    let mut previous_a = 0;
    for (i, x) in a.iter().map(u8::to_ascii_lowercase).enumerate() {
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        let mut previous_b = 0;
        for (j, y) in b.iter().map(u8::to_ascii_lowercase).enumerate() {
            let mut n = (get(&above, j) + usize::from(x != y))
                .min(get(&above, j + 1) + 1)
                .min(get(&row, j) + 1);
            if i > 0 && j > 0 && x == previous_b && y == previous_a {
                n = n.min(get(&before, j - 1) + 1);
            }
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = n;
            }
            previous_b = y;
        }
        previous_a = x;
        before = above;
        above = row;
        // A swap reaches back two rows.
        let least = |row: &[usize; LONGEST + 1]| row.iter().take(b.len() + 1).min().copied();
        if least(&above) >= Some(enough) && least(&before) >= Some(enough) {
            return enough;
        }
    }
    get(&above, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_none_that_is_far() {
        let words = ["Protocol", "Direction", "Routing", "Type", "Code"];
        let find = |w| nearest(w, words.map(|w| (w, ()))).map(|(w, ())| w);
        assert_eq!(find("Protocl"), Some("Protocol"));
        assert_eq!(find("portocol"), Some("Protocol"));
        assert_eq!(find("TYEP"), Some("Type"));
        assert_eq!(find("Rounting"), Some("Routing"));
        assert_eq!(find("Colour"), None);
        assert_eq!(find(""), None);
        assert_eq!(find(&"x".repeat(1000)), None);
    }

    #[test]
    fn distances() {
        for (a, b, n) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "ABC", 0),
            ("abc", "acb", 1),
            ("abc", "ab", 1),
            ("kitten", "sitting", 3),
            ("", "abc", 3),
            ("abcdefghij", "bacdefghji", 2),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes(), 9), n, "{a} {b}");
            for enough in 1..=n {
                assert!(
                    distance(a.as_bytes(), b.as_bytes(), enough) >= enough,
                    "{a} {b}"
                );
            }
        }
    }
}
