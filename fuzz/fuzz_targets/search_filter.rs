//! Filters and orders of searches: no text panics, whichever noun it is about.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_store::Noun;
use veracta_tracking::search::{parse_filter, parse_order};

fuzz_target!(|text: &str| {
    for noun in [Noun::Runs, Noun::Experiments, Noun::RegisteredModels, Noun::ModelVersions, Noun::LoggedModels] {
        let _ = parse_filter(noun, text);
        let _ = parse_order(noun, &[text.to_owned()]);
    }
});
