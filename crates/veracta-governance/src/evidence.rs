//! The records a judgement is made on: each with its place in the ledger.

use veracta_ledger::entry::Entry;

use crate::record::{Record, RecordRef};

/// One record with its entry and its position in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Position of the entry in the ledger, counted from 0.
    pub idx: u64,
    /// The entry of the ledger, which commits to the record by its digest.
    pub entry: Entry,
    /// The decoded record, whose bytes have the digest that the entry names.
    pub record: Record,
}

impl Evidence {
    /// Returns where the record stands.
    pub fn reference(&self) -> RecordRef {
        RecordRef {
            idx: self.idx,
            kind: self.entry.kind.clone(),
            digest: self.entry.body,
        }
    }
}

/// The evidence about one subject, in ledger order.
#[derive(Debug, Clone, Default)]
pub struct EvidenceSet {
    items: Vec<Evidence>,
}

macro_rules! accessors {
    ($($name:ident: $variant:ident),+ $(,)?) => {
        $(
            #[doc = concat!("Returns the latest `", stringify!($variant), "` with its place.")]
            pub fn $name(&self) -> Option<(&Evidence, &crate::record::$variant)> {
                self.items.iter().rev().find_map(|item| match &item.record {
                    Record::$variant(body) => Some((item, body)),
                    _ => None,
                })
            }
        )+
    };
}

impl EvidenceSet {
    /// Collects evidence; order and duplicates do not matter.
    pub fn new(mut items: Vec<Evidence>) -> Self {
        items.sort_by_key(|item| item.idx);
        items.dedup_by_key(|item| item.idx);
        Self { items }
    }

    /// Returns everything in ledger order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Evidence> {
        self.items.iter()
    }

    /// Returns whether there is a record of that kind.
    pub fn has_kind(&self, kind: &str) -> bool {
        self.items.iter().any(|item| item.entry.kind == kind)
    }

    /// Returns all records of that kind.
    pub fn of_kind<'e>(&'e self, kind: &'e str) -> impl Iterator<Item = &'e Evidence> {
        self.items
            .iter()
            .filter(move |item| item.entry.kind == kind)
    }

    accessors! {
        dataset_version: DatasetVersion,
        dataset_profile: DatasetProfile,
        dataset_phi_scan: DatasetPhiScan,
        dataset_split: DatasetSplit,
        dataset_minimisation: DatasetMinimisation,
        bias_report: BiasReport,
        model_version: ModelVersion,
        validation_report: ValidationReport,
        fairness_report: FairnessReport,
        explain_report: ExplainReport,
        drift_report: DriftReport,
        performance_report: PerformanceReport,
        robustness_report: RobustnessReport,
        privacy_report: PrivacyReport,
        reproduction_report: ReproductionReport,
        document_export: DocumentExport,
        model_card: ModelCard,
        ledger_checkpoint: LedgerCheckpoint,
    }

    /// Returns the run that made the model.
    pub fn training_run(&self) -> Option<(&Evidence, &crate::record::Run)> {
        let (_, model) = self.model_version()?;
        self.items.iter().find_map(|item| match &item.record {
            Record::Run(run) if item.idx == model.run_idx => Some((item, run)),
            _ => None,
        })
    }

    /// Returns the plan with that digest that stands earliest.
    pub fn plan(
        &self,
        digest: veracta_ledger::Hash,
    ) -> Option<(&Evidence, &crate::plan::ValidationPlan)> {
        self.items.iter().find_map(|item| match &item.record {
            Record::Attestation(body) => body
                .validation_plan()
                .filter(|plan| plan.digest() == digest)
                .map(|plan| (item, plan)),
            _ => None,
        })
    }

    /// Returns the attestations about a topic.
    pub fn attestations<'e>(
        &'e self,
        topic: &'e str,
    ) -> impl Iterator<Item = (&'e Evidence, &'e crate::record::Attestation)> {
        self.items
            .iter()
            .filter_map(move |item| match &item.record {
                Record::Attestation(body) if body.topic == topic => Some((item, body)),
                _ => None,
            })
    }

    /// Returns the waiver of a subject that still holds on `today` (ISO 8601 date).
    pub fn waiver(
        &self,
        subject: &str,
        today: &str,
    ) -> Option<(&Evidence, &crate::record::ApprovalSignature)> {
        self.items.iter().rev().find_map(|item| match &item.record {
            Record::ApprovalSignature(body)
                if body.meaning == "waive"
                    && body.subject == subject
                    && body
                        .valid_until
                        .as_deref()
                        .is_some_and(|until| until >= today) =>
            {
                Some((item, body))
            }
            _ => None,
        })
    }
}
