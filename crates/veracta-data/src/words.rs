//! Words as codes into their sorted levels: gathered while a column is read, and given one spelling where they are truth values or dates.

use std::collections::HashMap;

use crate::spelling::{
    DateOrder, is_number_mark, loses_identity, parse_number, parse_truth, spell_date, spell_moment,
    truth_word,
};
use crate::table::{Coded, ColumnType, MISSING};

/// Collects text values as codes; `finish` sorts the levels so that codes do not depend on row order.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    codes: Vec<u32>,
    levels: HashMap<Box<str>, u32>,
}

impl Interner {
    pub(crate) fn push(&mut self, value: &str) {
        let next = self.levels.len() as u32;
        let code = match self.levels.get(value) {
            Some(code) => *code,
            None => *self.levels.entry(value.into()).or_insert(next),
        };
        self.codes.push(code);
    }

    pub(crate) fn push_missing(&mut self) {
        self.codes.push(MISSING);
    }

    pub(crate) fn finish(self) -> Coded {
        let mut levels: Vec<(Box<str>, u32)> = self.levels.into_iter().collect();
        levels.sort_unstable();
        let mut new_code = vec![0; levels.len()];
        for (position, (_, code)) in levels.iter().enumerate() {
            new_code[*code as usize] = position as u32;
        }
        let recode = |code: u32| {
            if code == MISSING {
                MISSING
            } else {
                new_code[code as usize]
            }
        };
        Coded {
            codes: self.codes.into_iter().map(recode).collect(),
            levels: levels
                .into_iter()
                .map(|(level, _)| level.into_string())
                .collect(),
        }
    }
}

/// Returns `Text` for a coded column whose values hardly repeat, else `Categorical`.
///
/// Text has more than 50 distinct values and more than one distinct value in two rows, or a level longer than 64 bytes.
pub(crate) fn coded_type(coded: &Coded) -> ColumnType {
    let n_present = coded.codes.iter().filter(|code| **code != MISSING).count();
    let hardly_repeats = coded.levels.len() > 50 && coded.levels.len() * 2 > n_present;
    if hardly_repeats || coded.levels.iter().any(|level| level.len() > 64) {
        return ColumnType::Text;
    }
    ColumnType::Categorical
}

/// Gives words that are truth values, or dates and times, in most of their cells one spelling; returns how many cells are something else,
/// which stand as they are.
pub(crate) fn with_one_spelling(coded: Coded, dates: Option<DateOrder>) -> (Coded, u64) {
    let mut n_of_level = vec![0u64; coded.levels.len()];
    for code in &coded.codes {
        if let Some(n) = n_of_level.get_mut(*code as usize) {
            *n += 1;
        }
    }
    let n_present: u64 = n_of_level.iter().sum();
    let truth = |word: &str| parse_truth(word).map(|truth| truth_word(truth).to_owned());
    let moment = |word: &str| {
        let declared = || dates.and_then(|order| spell_date(word, order));
        spell_moment(word).or_else(declared)
    };
    for is_truth in [true, false] {
        let spelling = |word: &String| if is_truth { truth(word) } else { moment(word) };
        let spelt: Vec<Option<String>> = coded.levels.iter().map(spelling).collect();
        let of_kind = spelt.iter().zip(&n_of_level);
        let n_of_kind: u64 = of_kind
            .filter(|(word, _)| word.is_some())
            .map(|(_, n)| n)
            .sum();
        if n_of_kind * 2 > n_present {
            let other = |at: usize| coded.levels[at].clone();
            let spelt = spelt.into_iter().enumerate();
            let spelt = spelt.map(|(at, word)| word.unwrap_or_else(|| other(at)));
            let spelt: Vec<String> = spelt.collect();
            return (respelt(coded, spelt), n_present - n_of_kind);
        }
    }
    (coded, 0)
}

/// Reads words as numbers, as a column of a CSV file is; `None` when one is no number, or a float would take it for another's.
pub(crate) fn as_numbers(coded: &Coded, number_marks: &[f64]) -> Option<Vec<f64>> {
    let number = |word: &String| {
        let word = word.trim();
        if is_number_mark(word) {
            return Some(f64::NAN);
        }
        let number = parse_number(word).filter(|_| !loses_identity(word))?;
        Some(if number_marks.contains(&number) {
            f64::NAN
        } else {
            number
        })
    };
    let numbers: Vec<f64> = coded.levels.iter().map(number).collect::<Option<_>>()?;
    if !numbers.iter().any(|number| !number.is_nan()) {
        return None;
    }
    let of_code = |code: &u32| numbers.get(*code as usize).copied().unwrap_or(f64::NAN);
    Some(coded.codes.iter().map(of_code).collect())
}

/// Spells each level anew; levels that become equal are one, and the order is that of the new spelling.
fn respelt(coded: Coded, spelt: Vec<String>) -> Coded {
    let mut levels = spelt.clone();
    levels.sort_unstable();
    levels.dedup();
    let code = |word: &String| levels.partition_point(|level| level < word) as u32;
    let new_codes: Vec<u32> = spelt.iter().map(code).collect();
    let recode = |code: u32| match code {
        MISSING => MISSING,
        code => new_codes[code as usize],
    };
    Coded {
        codes: coded.codes.into_iter().map(recode).collect(),
        levels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(levels: &[&str]) -> (Coded, u64) {
        let coded = Coded {
            codes: (0..levels.len() as u32).chain([MISSING]).collect(),
            levels: levels.iter().map(|level| (*level).to_owned()).collect(),
        };
        with_one_spelling(coded, Some(DateOrder::DayFirst))
    }

    #[test]
    fn truth_values_and_moments_have_one_spelling() {
        let (truths, n_other) = of(&["False", "TRUE", "true"]);
        assert_eq!(
            (&truths.levels[..], n_other),
            (&["false".to_owned(), "true".to_owned()][..], 0)
        );
        assert_eq!(truths.codes, [0, 1, 1, MISSING]);
        let check = |levels: &[&str], expected: &[&str], n_other: u64| {
            let found = of(levels);
            assert_eq!(
                (found.0.levels.as_slice(), found.1),
                (strings(expected).as_slice(), n_other)
            );
        };
        check(&["False", "maybe"], &["False", "maybe"], 0);
        check(&["False", "TRUE", "maybe"], &["false", "maybe", "true"], 1);
        check(
            &[
                "2026-01-31 00:00:00",
                "2026-02-01T00:00",
                "2026-02-01 10:00:00.500",
            ],
            &["2026-01-31", "2026-02-01", "2026-02-01T10:00:00.5"],
            0,
        );
        check(
            &["2026-01-31 10:00:00+02:00", "2026-01-31T08:00:00Z"],
            &["2026-01-31T08:00:00Z"],
            0,
        );
        check(
            &["31.01.2026", "1.2.2026"],
            &["2026-01-31", "2026-02-01"],
            0,
        );
        check(&["2026-02-30"], &["2026-02-30"], 0);
        check(&["1234-56-x"], &["1234-56-x"], 0);
    }

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn words_are_numbers_when_every_one_is() {
        let of = |levels: &[&str]| {
            let coded = Coded {
                codes: (0..levels.len() as u32).chain([MISSING]).collect(),
                levels: levels.iter().map(|level| (*level).to_owned()).collect(),
            };
            as_numbers(&coded, &[-9.0])
        };
        let values = of(&["-9", " 2.5", "?"]).unwrap_or_default();
        assert!(values[0].is_nan() && values[1] == 2.5 && values[2].is_nan() && values[3].is_nan());
        for words in [&["01", "2"][..], &["1", "x"], &["NA"], &[]] {
            assert!(of(words).is_none(), "{words:?}");
        }
    }
}
