//! Receivers of events: who is told of changes of the registry, and what.
//!
//! Events are read from the ledger, so that a receiver is told of each change once it is durable, in order, and at least once.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use veracta_governance::record::{AccessLog, Record, RegistryModel, RegistryVersion};
use veracta_ledger::Hash;
use veracta_store::webhooks::Webhook;
use veracta_store::{NewRecord, Store, StoreError};

use crate::TrackingError;
use crate::search::PROMPT_TAG;
use veracta_store::Platform;

/// What an event can be about, and what can happen to it, in the words of MLflow's API.
pub const EVENTS: [(&str, &[&str]); 9] = [
    ("REGISTERED_MODEL", &["CREATED"]),
    ("MODEL_VERSION", &["CREATED"]),
    ("MODEL_VERSION_TAG", &["SET", "DELETED"]),
    ("MODEL_VERSION_ALIAS", &["CREATED", "DELETED"]),
    ("PROMPT", &["CREATED"]),
    ("PROMPT_VERSION", &["CREATED"]),
    ("PROMPT_TAG", &["SET", "DELETED"]),
    ("PROMPT_VERSION_TAG", &["SET", "DELETED"]),
    ("PROMPT_ALIAS", &["CREATED", "DELETED"]),
];
/// Tag that holds the text of a prompt.
const PROMPT_TEXT_TAG: &str = "mlflow.prompt.text";
/// Longest name of a webhook, in characters.
const NAME_CHARS: usize = 63;
/// Longest description or secret, in characters.
const TEXT_CHARS: usize = 1_000;
/// Longest URL of a webhook, in characters.
const URL_CHARS: usize = 500;
/// Most webhooks of a workspace.
const WEBHOOKS_LIMIT: usize = 1_000;

/// A change of the registry, as it is sent to webhooks.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Kind of the thing that changed, one of [`EVENTS`].
    pub entity: &'static str,
    /// Kind of the change, one of those that [`EVENTS`] lists for the entity.
    pub action: &'static str,
    /// Data of the event, in the form that receivers of MLflow's events expect.
    pub data: Value,
}

/// The fields of a webhook to set.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// New name; `None` leaves it.
    pub name: Option<String>,
    /// New description; `None` leaves it.
    pub description: Option<String>,
    /// New address that events are sent to; `None` leaves it.
    pub url: Option<String>,
    /// New list of events to send, as (entity, action) of [`EVENTS`]; `None` leaves it.
    pub events: Option<Vec<(String, String)>>,
    /// New status, `ACTIVE` or `DISABLED`; `None` leaves it.
    pub status: Option<String>,
    /// New key of the signature of each delivery; `None` leaves it.
    pub secret: Option<String>,
}

fn about(id: &str) -> String {
    format!("webhook:{id}")
}

/// A URL may hold a secret: the record has its digest only.
fn of_webhook(action: &str, webhook: &Webhook) -> NewRecord {
    let events: Vec<String> = webhook
        .events
        .iter()
        .map(|(entity, action)| format!("{entity}.{action}"))
        .collect();
    let log = AccessLog {
        action: format!("webhook.{action}"),
        object: Some(webhook.id.clone()),
        allowed: true,
        reason: format!(
            "{} {} to the URL with SHA-256 {}",
            webhook.status,
            events.join(","),
            Hash::of(webhook.url.as_bytes())
        ),
        factor: "local".to_owned(),
        grant: None,
        n_events: 1,
    };
    NewRecord {
        record: Record::AccessLog(log),
        subject: about(&webhook.id),
        key: None,
        links: Vec::new(),
        artifacts: Vec::new(),
    }
}

fn check_text(what: &str, text: &str, limit: usize) -> Result<(), TrackingError> {
    if text.chars().count() > limit {
        return Err(TrackingError::invalid(format!(
            "Webhook {what} cannot be longer than {limit} characters"
        )));
    }
    Ok(())
}

fn check_change(change: &WebhookChange) -> Result<(), TrackingError> {
    if let Some(name) = &change.name {
        if name.trim().is_empty() {
            return Err(TrackingError::invalid(
                "Webhook name cannot be empty or just whitespace",
            ));
        }
        let is_end = |character: Option<char>| {
            character.is_some_and(|character| character.is_ascii_alphanumeric())
        };
        let is_part =
            |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        if !is_end(name.chars().next())
            || !is_end(name.chars().last())
            || !name.chars().all(is_part)
            || name.len() > NAME_CHARS
        {
            return Err(TrackingError::invalid(format!(
                "Webhook name '{name}' is invalid. It must start and end with a letter or digit, be less than {NAME_CHARS} characters long, and \
                 contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
            )));
        }
    }
    check_text(
        "description",
        change.description.as_deref().unwrap_or_default(),
        TEXT_CHARS,
    )?;
    check_text(
        "secret",
        change.secret.as_deref().unwrap_or_default(),
        TEXT_CHARS,
    )?;
    if let Some(url) = &change.url {
        check_text("URL", url, URL_CHARS)?;
        if url.trim().is_empty() {
            return Err(TrackingError::invalid(
                "Webhook URL cannot be empty or just whitespace",
            ));
        }
    }
    if let Some(events) = &change.events {
        if events.is_empty() {
            return Err(TrackingError::invalid(
                "Webhook events must be a non-empty list: [].",
            ));
        }
        for (position, event) in events.iter().enumerate() {
            if events[..position].contains(event) {
                return Err(TrackingError::invalid(format!(
                    "Webhook event {}.{} is there twice",
                    event.0, event.1
                )));
            }
        }
        for (entity, action) in events {
            let known = EVENTS.iter().find(|(known, _)| known == entity);
            let known = known.ok_or_else(|| {
                TrackingError::invalid(format!("Invalid webhook entity: '{entity}'."))
            })?;
            if !known.1.contains(&action.as_str()) {
                return Err(TrackingError::invalid(format!(
                    "Invalid action '{action}' for entity '{entity}'. Valid actions are: {}",
                    known.1.join(", ")
                )));
            }
        }
    }
    Ok(())
}

fn missing(id: &str) -> TrackingError {
    TrackingError::missing(format!("Webhook with ID {id} not found."))
}

fn apply(store: &Store, webhook: &mut Webhook, change: WebhookChange) -> Result<(), TrackingError> {
    let WebhookChange {
        name,
        description,
        url,
        events,
        status,
        secret,
    } = change;
    webhook.name = name.unwrap_or_else(|| std::mem::take(&mut webhook.name));
    webhook.description = description.or_else(|| webhook.description.take());
    webhook.url = url.unwrap_or_else(|| std::mem::take(&mut webhook.url));
    webhook.events = events.unwrap_or_else(|| std::mem::take(&mut webhook.events));
    webhook.status = status.unwrap_or_else(|| std::mem::take(&mut webhook.status));
    if let Some(secret) = secret {
        webhook.secret = Some(store.seal(&about(&webhook.id), secret.as_bytes())?);
    }
    Ok(())
}

/// Returns a random UUID (RFC 9562, version 4).
pub fn new_uuid() -> Result<String, StoreError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    ))
}

/// Adds a receiver, which is told of what happens from now on.
pub fn create(platform: &Platform, change: WebhookChange) -> Result<Webhook, TrackingError> {
    check_change(&change)?;
    let now = (platform.clock)().as_millisecond();
    let mut webhook = Webhook {
        id: new_uuid()?,
        name: String::new(),
        description: None,
        url: String::new(),
        events: Vec::new(),
        status: "ACTIVE".to_owned(),
        secret: None,
        created_ms: now,
        updated_ms: now,
        told_to: platform.store.size()?,
    };
    apply(&platform.store, &mut webhook, change)?;
    platform
        .store
        .transaction(&platform.actor, &platform.now())
        .work(move |work| {
            if work.view().webhooks()?.len() >= WEBHOOKS_LIMIT {
                return Err(TrackingError::invalid(format!(
                    "There are {WEBHOOKS_LIMIT} webhooks already; delete one first"
                )));
            }
            work.commit(of_webhook("created", &webhook))?
                .put_webhook(&webhook)?;
            Ok(webhook)
        })
}

/// Changes the given fields of a webhook, with a record of the change.
pub fn update(
    platform: &Platform,
    id: String,
    change: WebhookChange,
) -> Result<Webhook, TrackingError> {
    check_change(&change)?;
    let now = (platform.clock)().as_millisecond();
    let mut webhook = get(platform, &id)?;
    apply(&platform.store, &mut webhook, change)?;
    webhook.updated_ms = now;
    platform
        .store
        .transaction(&platform.actor, &platform.now())
        .work(move |work| {
            work.view().webhook(&id)?.ok_or_else(|| missing(&id))?;
            work.commit(of_webhook("changed", &webhook))?
                .put_webhook(&webhook)?;
            Ok(webhook)
        })
}

/// Removes a webhook, with a record of the removal.
pub fn delete(platform: &Platform, id: String) -> Result<(), TrackingError> {
    platform
        .store
        .transaction(&platform.actor, &platform.now())
        .work(move |work| {
            let webhook = work.view().webhook(&id)?.ok_or_else(|| missing(&id))?;
            Ok(work
                .commit(of_webhook("deleted", &webhook))?
                .remove_webhook(&id)?)
        })
}

/// Returns the webhook with that id.
pub fn get(platform: &Platform, id: &str) -> Result<Webhook, TrackingError> {
    platform
        .store
        .reading()?
        .view()
        .webhook(id)?
        .ok_or_else(|| missing(id))
}

/// Returns every receiver, the newest first.
pub fn list(platform: &Platform) -> Result<Vec<Webhook>, TrackingError> {
    let mut all = platform.store.reading()?.view().webhooks()?;
    all.reverse();
    Ok(all)
}

/// Returns what deliveries to a receiver are signed with.
pub fn secret_of(store: &Store, webhook: &Webhook) -> Result<Option<String>, StoreError> {
    let Some(sealed) = &webhook.secret else {
        return Ok(None);
    };
    let secret = store.unseal(&about(&webhook.id), sealed)?;
    Ok(Some(String::from_utf8_lossy(&secret).into_owned()))
}

/// Notes that a receiver was told of the entries before `told_to`.
pub fn note_told(platform: &Platform, id: String, told_to: u64) -> Result<(), StoreError> {
    platform
        .store
        .transaction(&platform.actor, &platform.now())
        .work(move |work| work.draft_of_none().set_told(&id, told_to))
}

/// Returns what the record at a position says has happened; nothing for most records.
pub fn events_at(store: &Store, idx: u64) -> Result<Vec<Event>, StoreError> {
    let evidence = match store.evidence(idx) {
        Ok(evidence) => evidence,
        // It was erased since.
        Err(StoreError::NoRecord { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let before = match evidence.entry.previous {
        Some(previous) => store
            .evidence(previous)
            .ok()
            .map(|evidence| evidence.record),
        None => None,
    };
    Ok(match (&evidence.record, before) {
        (Record::RegistryModel(now), before) => {
            let before = before.and_then(|record| {
                if let Record::RegistryModel(before) = record {
                    Some(before)
                } else {
                    None
                }
            });
            events_of_model(now, before.as_ref())
        }
        (Record::RegistryVersion(now), before) => {
            let before = before.and_then(|record| {
                if let Record::RegistryVersion(before) = record {
                    Some(before)
                } else {
                    None
                }
            });
            events_of_version(now, before.as_ref())
        }
        _ => Vec::new(),
    })
}

/// Tags without the word that makes a model a prompt.
fn shown(tags: &BTreeMap<String, String>) -> Value {
    let tags = tags
        .iter()
        .filter(|(name, _)| *name != PROMPT_TAG && *name != PROMPT_TEXT_TAG);
    Value::Object(
        tags.map(|(name, value)| (name.clone(), json!(value)))
            .collect::<Map<_, _>>(),
    )
}

/// Returns tags that were set, and names of those that were removed.
fn changed_tags<'t>(
    now: &'t BTreeMap<String, String>,
    before: Option<&'t BTreeMap<String, String>>,
) -> (Vec<(&'t String, &'t String)>, Vec<&'t String>) {
    let set = now
        .iter()
        .filter(|(name, value)| before.is_none_or(|before| before.get(*name) != Some(value)));
    let removed = before
        .into_iter()
        .flat_map(BTreeMap::keys)
        .filter(|name| !now.contains_key(*name));
    (set.collect(), removed.collect())
}

fn events_of_model(now: &RegistryModel, before: Option<&RegistryModel>) -> Vec<Event> {
    let is_prompt = now.tags.contains_key(PROMPT_TAG);
    let name = &now.name;
    match now.event.as_str() {
        "created" => {
            let entity = if is_prompt {
                "PROMPT"
            } else {
                "REGISTERED_MODEL"
            };
            vec![Event {
                entity,
                action: "CREATED",
                data: json!({ "name": name, "tags": shown(&now.tags), "description": now.description }),
            }]
        }
        // Clients hear of tags of prompts, not of those of models.
        "tagged" if is_prompt => {
            let (set, removed) = changed_tags(&now.tags, before.map(|before| &before.tags));
            let set = set
                .into_iter()
                .map(|(key, value)| ("SET", json!({ "name": name, "key": key, "value": value })));
            let removed = removed
                .into_iter()
                .map(|key| ("DELETED", json!({ "name": name, "key": key })));
            set.chain(removed)
                .map(|(action, data)| Event {
                    entity: "PROMPT_TAG",
                    action,
                    data,
                })
                .collect()
        }
        "alias_set" | "alias_removed" => {
            let entity = if is_prompt {
                "PROMPT_ALIAS"
            } else {
                "MODEL_VERSION_ALIAS"
            };
            let old = before
                .map(|before| before.aliases.clone())
                .unwrap_or_default();
            let set = now
                .aliases
                .iter()
                .filter(|(alias, version)| old.get(*alias) != Some(version));
            let set = set.map(|(alias, version)| {
                (
                    "CREATED",
                    json!({ "name": name, "alias": alias, "version": version.to_string() }),
                )
            });
            let removed = old.keys().filter(|alias| !now.aliases.contains_key(*alias));
            let removed = removed.map(|alias| ("DELETED", json!({ "name": name, "alias": alias })));
            set.chain(removed)
                .map(|(action, data)| Event {
                    entity,
                    action,
                    data,
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

fn events_of_version(now: &RegistryVersion, before: Option<&RegistryVersion>) -> Vec<Event> {
    let is_prompt = now.tags.contains_key(PROMPT_TAG);
    let (name, version) = (&now.model, now.version.to_string());
    match now.event.as_str() {
        "created" if is_prompt => {
            let template = now.tags.get(PROMPT_TEXT_TAG);
            let data = json!({
                "name": name,
                "version": version,
                "template": template,
                "tags": shown(&now.tags),
                "description": now.description,
            });
            vec![Event {
                entity: "PROMPT_VERSION",
                action: "CREATED",
                data,
            }]
        }
        "created" => {
            let run_id = (!now.run_id.is_empty()).then_some(&now.run_id);
            let data = json!({
                "name": name,
                "version": version,
                "source": now.source,
                "run_id": run_id,
                "tags": shown(&now.tags),
                "description": now.description,
            });
            vec![Event {
                entity: "MODEL_VERSION",
                action: "CREATED",
                data,
            }]
        }
        "tagged" => {
            let entity = if is_prompt {
                "PROMPT_VERSION_TAG"
            } else {
                "MODEL_VERSION_TAG"
            };
            let (set, removed) = changed_tags(&now.tags, before.map(|before| &before.tags));
            let set = set.into_iter().map(|(key, value)| {
                (
                    "SET",
                    json!({ "name": name, "version": version, "key": key, "value": value }),
                )
            });
            let removed = removed.into_iter().map(|key| {
                (
                    "DELETED",
                    json!({ "name": name, "version": version, "key": key }),
                )
            });
            set.chain(removed)
                .map(|(action, data)| Event {
                    entity,
                    action,
                    data,
                })
                .collect()
        }
        _ => Vec::new(),
    }
}
