//! What work reads of records, and how it erases them.

use veracta_governance::record::Record;
use veracta_ledger::entry::{Entry, Link};

use super::records::{Filter, entry_bytes, evidence, positions};
use crate::StoreError;
use crate::work::{Recorded, View};

impl Recorded<'_> {
    /// Erases the bodies of records; their entries stay. The record just committed says so.
    pub fn erase(&self, positions: &[u64]) -> Result<(), StoreError> {
        positions.iter().try_for_each(|idx| {
            self.db
                .execute(
                    "DELETE FROM records WHERE idx = $1",
                    &[(*idx as i64).into()],
                )
                .map(|_| ())
        })
    }
}

impl View<'_> {
    /// Returns the positions of the records of a kind about a subject, in order.
    pub fn positions_about(&self, kind: &str, subject: &str) -> Result<Vec<u64>, StoreError> {
        positions(self.db, Filter::Subject(kind, subject))
    }

    /// Returns the latest record of a kind about a subject.
    pub fn latest_about(&self, kind: &str, subject: &str) -> Result<Option<Record>, StoreError> {
        let Some(idx) = self.positions_about(kind, subject)?.pop() else {
            return Ok(None);
        };
        Ok(evidence(self.db, idx)?.map(|found| found.record))
    }

    /// Calls `visit` with each subject of a kind and the position of its latest record.
    pub fn visit_latest(
        &self,
        kind: &str,
        visit: &mut dyn FnMut(String, u64) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT subject, MAX(idx) FROM records WHERE kind = $1 GROUP BY subject ORDER BY subject";
        self.db.visit(sql, &[kind.into()], &mut |mut row| {
            visit(row.text(0)?, row.integer(1)? as u64)
        })
    }

    /// Returns a link to the record at a position.
    pub fn link_to(&self, idx: u64) -> Result<Option<Link>, StoreError> {
        let entry = entry_bytes(self.db, idx)?
            .map(|bytes| Entry::parse(&bytes))
            .transpose()?;
        Ok(entry.map(|entry| Link {
            idx,
            body: entry.body,
        }))
    }
}
