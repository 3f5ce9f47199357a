//! Receivers of events.

use crate::StoreError;
use crate::database::{Row, Value};
use crate::webhooks::Webhook;
use crate::work::{Draft, Recorded, View};

const COLUMNS: &str =
    "webhook_id, name, description, url, events, status, secret, created_ms, updated_ms, told_to";

fn read(row: &mut Row) -> Result<Webhook, StoreError> {
    let events = row.text(4)?;
    let events = events
        .split(',')
        .filter_map(|event| event.split_once('.'))
        .map(|(entity, action)| (entity.to_owned(), action.to_owned()));
    Ok(Webhook {
        id: row.text(0)?,
        name: row.text(1)?,
        description: row.text_or_null(2)?,
        url: row.text(3)?,
        events: events.collect(),
        status: row.text(5)?,
        secret: row.bytes_or_null(6)?,
        created_ms: row.integer(7)?,
        updated_ms: row.integer(8)?,
        told_to: row.integer(9)? as u64,
    })
}

fn events_text(webhook: &Webhook) -> String {
    webhook
        .events
        .iter()
        .map(|(entity, action)| format!("{entity}.{action}"))
        .collect::<Vec<_>>()
        .join(",")
}

impl View<'_> {
    /// Returns every receiver of events, by time of creation.
    pub fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM webhooks ORDER BY created_ms, webhook_id");
        self.db.rows(&sql, &[])?.iter_mut().map(read).collect()
    }

    /// Returns a receiver of events.
    pub fn webhook(&self, id: &str) -> Result<Option<Webhook>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE webhook_id = $1");
        self.db
            .row(&sql, &[id.into()])?
            .map(|mut row| read(&mut row))
            .transpose()
    }
}

impl Recorded<'_> {
    /// Adds a receiver of events, or changes one.
    pub fn put_webhook(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let row = vec![
            (&webhook.id).into(),
            (&webhook.name).into(),
            webhook.description.as_ref().into(),
            (&webhook.url).into(),
            events_text(webhook).into(),
            (&webhook.status).into(),
            webhook.secret.as_deref().map_or(Value::Null, Value::from),
            webhook.created_ms.into(),
            webhook.updated_ms.into(),
            (webhook.told_to as i64).into(),
        ];
        let tail = "ON CONFLICT (webhook_id) DO UPDATE SET name = excluded.name, description = excluded.description, url = excluded.url,
                    events = excluded.events, status = excluded.status, secret = excluded.secret, updated_ms = excluded.updated_ms";
        self.db
            .insert(&format!("INSERT INTO webhooks ({COLUMNS})"), tail, &[row])
            .map(|_| ())
    }

    /// Removes a receiver of events.
    pub fn remove_webhook(&self, id: &str) -> Result<(), StoreError> {
        self.db
            .execute("DELETE FROM webhooks WHERE webhook_id = $1", &[id.into()])
            .map(|_| ())
    }
}

impl Draft<'_> {
    /// Notes up to which entry a receiver was told.
    pub fn set_told(&self, id: &str, told_to: u64) -> Result<(), StoreError> {
        let sql = "UPDATE webhooks SET told_to = $1 WHERE webhook_id = $2";
        self.db
            .execute(sql, &[(told_to as i64).into(), id.into()])
            .map(|_| ())
    }
}
