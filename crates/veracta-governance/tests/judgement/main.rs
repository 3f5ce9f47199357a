//! Records, controls, gates and documents judged on one recorded lineage: the corpus of `tests/corpus`.

mod controls;
mod corpus;
mod documents;
mod gate;
