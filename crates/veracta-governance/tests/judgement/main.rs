//! Records, controls and gates judged on one recorded lineage: the corpus of `tests/corpus`.

mod controls;
mod corpus;
mod gate;
mod lineage;
