//! Words as codes into their sorted levels: gathered while a column is read, and given one spelling where they are truth values or dates.

use std::collections::HashMap;

use crate::spelling::{When, parse_truth, truth_word};
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

/// Gives inferred words that are all truth values, or all dates and times, their one spelling.
pub(crate) fn with_one_spelling(coded: Coded) -> Coded {
    let Some(first) = coded.levels.first() else {
        return coded;
    };
    if parse_truth(first).is_some() {
        let truths: Option<Vec<bool>> = coded.levels.iter().map(|word| parse_truth(word)).collect();
        return match truths {
            Some(truths) => respelt(coded, |at| truth_word(truths[at]).to_owned()),
            None => coded,
        };
    }
    if When::parse(first).is_none() {
        return coded;
    }
    let moments: Option<Vec<When>> = coded.levels.iter().map(|word| When::parse(word)).collect();
    let Some(moments) = moments else {
        return coded;
    };
    let are_dates = moments.iter().all(When::is_midnight);
    respelt(coded, |at| moments[at].spelling(are_dates))
}

/// Spells each level anew; levels that become equal are one, and the order is that of the new spelling.
fn respelt(coded: Coded, spell: impl Fn(usize) -> String) -> Coded {
    let spelt: Vec<String> = (0..coded.levels.len()).map(spell).collect();
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

    #[test]
    fn truth_values_and_moments_have_one_spelling() {
        let of = |levels: &[&str]| {
            let coded = Coded {
                codes: (0..levels.len() as u32).chain([MISSING]).collect(),
                levels: levels.iter().map(|level| (*level).to_owned()).collect(),
            };
            with_one_spelling(coded)
        };
        let truths = of(&["False", "TRUE", "true"]);
        assert_eq!(truths.levels, ["false", "true"]);
        assert_eq!(truths.codes, [0, 1, 1, MISSING]);
        assert_eq!(of(&["False", "maybe"]).levels, ["False", "maybe"]);
        let dates = of(&["2026-01-31 00:00:00", "2026-02-01T00:00"]);
        assert_eq!(dates.levels, ["2026-01-31", "2026-02-01"]);
        let moments = of(&["2026-01-31", "2026-01-31 10:00:00.500"]);
        assert_eq!(
            moments.levels,
            ["2026-01-31T00:00:00", "2026-01-31T10:00:00.5"]
        );
        let zoned = of(&["2026-01-31 10:00:00+02:00", "2026-01-31T08:00:00Z"]);
        assert_eq!(zoned.levels, ["2026-01-31T08:00:00Z"]);
        assert_eq!(of(&["2026-02-30"]).levels, ["2026-02-30"]);
        assert_eq!(of(&["1234-56-x"]).levels, ["1234-56-x"]);
    }
}
