//! `webhooks/…`

use axum::Extension;
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use serde_json::{Value, json};
use veracta_governance::access::Permission::Administer;
use veracta_store::Platform;
use veracta_store::webhooks::Webhook;
use veracta_tracking::TrackingError;
use veracta_tracking::webhooks::{self, EVENTS, Event, WebhookChange};

use super::experiments::page;
use super::fields::Fields;
use super::wire::{Answer, answer, done, page_offset, page_token};
use super::{Rpc, fields_of, json_response};
use crate::access::CallerPlatform;
use crate::blocking::blocking;
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::webhooks::{Delivered, Receivers, check_url, deliver};

/// Receivers of one answer when the request does not say.
const LIST_RESULTS: i64 = 100;
/// Most receivers of one answer.
const LIST_LIMIT: i64 = 1_000;
/// Words for the entities, in the order of the API's numbers, from 0.
const ENTITIES: [&str; 11] = [
    "ENTITY_UNSPECIFIED",
    "REGISTERED_MODEL",
    "MODEL_VERSION",
    "MODEL_VERSION_TAG",
    "MODEL_VERSION_ALIAS",
    "PROMPT",
    "PROMPT_VERSION",
    "PROMPT_TAG",
    "PROMPT_VERSION_TAG",
    "PROMPT_ALIAS",
    "BUDGET_POLICY",
];
/// Words for the actions, from 0.
const ACTIONS: [&str; 6] = [
    "ACTION_UNSPECIFIED",
    "CREATED",
    "UPDATED",
    "DELETED",
    "SET",
    "EXCEEDED",
];

/// Returns the requests about webhooks that contact a receiver or check its address.
pub(super) fn endpoints(prefix: &str) -> Vec<Endpoint> {
    let webhooks = format!("{prefix}/2.0/mlflow/webhooks");
    let create_one = move |platform, receivers, params, request| {
        change(create, platform, receivers, params, request)
    };
    let update_one = move |platform, receivers, params, request| {
        change(update, platform, receivers, params, request)
    };
    let one = format!("{webhooks}/{{webhook_id}}");
    let test_path = format!("{one}/test");
    vec![
        Endpoint::new("POST", webhooks, Administer, create_one),
        Endpoint::new("PATCH", one, Administer, update_one),
        Endpoint::new("POST", test_path, Administer, test),
    ]
}

/// Adds or changes a receiver, unless its URL is one that nothing is sent to.
async fn change(
    rpc: Rpc,
    CallerPlatform(platform): CallerPlatform,
    Extension(receivers): Extension<Receivers>,
    params: RawPathParams,
    request: Request,
) -> Result<Response, ApiError> {
    let fields = fields_of(&params, request).await?;
    if let Some(url) = fields
        .text_or_none("url")?
        .filter(|url| !url.trim().is_empty())
    {
        check_url(&url, receivers)?;
    }
    Ok(json_response(
        blocking(move || rpc(&platform, &fields)).await?,
    ))
}

/// Sends a receiver an event that did not happen, and tells what it answered.
async fn test(
    CallerPlatform(platform): CallerPlatform,
    Extension(receivers): Extension<Receivers>,
    params: RawPathParams,
    request: Request,
) -> Result<Response, ApiError> {
    let fields = fields_of(&params, request).await?;
    let (webhook, event, secret) = blocking(move || to_try(&platform, &fields)).await?;
    let result = match deliver(&webhook, secret.as_deref(), &event, receivers).await {
        Ok(Delivered { status, body }) => {
            json!({ "success": (200..300).contains(&status), "response_status": status, "response_body": body })
        }
        Err(error) => json!({ "success": false, "error_message": error.to_string() }),
    };
    Ok(json_response(
        json!({ "result": result }).to_string().into_bytes(),
    ))
}

fn shown(webhook: &Webhook) -> Value {
    let events: Vec<Value> = webhook
        .events
        .iter()
        .map(|(entity, action)| json!({ "entity": entity, "action": action }))
        .collect();
    let mut value = json!({
        "webhook_id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "events": events,
        "status": webhook.status,
        "creation_timestamp": webhook.created_ms,
        "last_updated_timestamp": webhook.updated_ms,
    });
    if let Some(description) = &webhook.description {
        value["description"] = json!(description);
    }
    value
}

fn event_of(fields: &Fields<'_>) -> Result<(String, String), ApiError> {
    let entity = fields
        .word("entity", &ENTITIES, 0)?
        .ok_or_else(|| ApiError::invalid("A webhook event needs an entity"))?;
    let action = fields
        .word("action", &ACTIONS, 0)?
        .ok_or_else(|| ApiError::invalid("A webhook event needs an action"))?;
    Ok((entity.to_owned(), action.to_owned()))
}

fn change_of(fields: &Fields<'_>) -> Result<WebhookChange, ApiError> {
    let events = fields
        .objects("events")?
        .iter()
        .map(event_of)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(WebhookChange {
        name: fields.text_or_none("name")?,
        description: fields.text_or_none("description")?,
        url: fields.text_or_none("url")?,
        events: (!events.is_empty()).then_some(events),
        status: fields
            .word("status", &["ACTIVE", "DISABLED"], 1)?
            .map(str::to_owned),
        secret: fields
            .text_or_none("secret")?
            .filter(|secret| !secret.is_empty()),
    })
}

fn one(webhook: &Webhook) -> Answer {
    answer(&json!({ "webhook": shown(webhook) }))
}

fn create(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let mut change = change_of(fields)?;
    change.name = Some(fields.required("name")?);
    change.url = Some(fields.required("url")?);
    change.events.get_or_insert_default();
    one(&webhooks::create(platform, change)?)
}

pub(super) fn list(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let limit = fields.integer("max_results")?.unwrap_or(LIST_RESULTS);
    if !(1..=LIST_LIMIT).contains(&limit) {
        return Err(ApiError::invalid(format!(
            "max_results must be between 1 and {LIST_LIMIT}."
        )));
    }
    let offset = page_offset(&fields.text("page_token")?)?;
    let all = webhooks::list(platform)?;
    let found: Vec<Value> = all
        .iter()
        .skip(offset as usize)
        .take(limit as usize)
        .map(shown)
        .collect();
    let next = offset + found.len() as u64;
    let token = (next < all.len() as u64).then(|| page_token(next));
    page("webhooks", &found, token)
}

pub(super) fn get(platform: &Platform, fields: &Fields<'_>) -> Answer {
    one(&webhooks::get(platform, &fields.required("webhook_id")?)?)
}

fn update(platform: &Platform, fields: &Fields<'_>) -> Answer {
    one(&webhooks::update(
        platform,
        fields.required("webhook_id")?,
        change_of(fields)?,
    )?)
}

pub(super) fn delete(platform: &Platform, fields: &Fields<'_>) -> Answer {
    webhooks::delete(platform, fields.required("webhook_id")?)?;
    done()
}

/// Returns what an event of this kind might tell.
fn example(entity: &str, action: &str) -> Value {
    let subject = if entity.starts_with("PROMPT") {
        "prompt"
    } else {
        "model"
    };
    let mut data = json!({ "name": format!("example_{subject}") });
    let what = entity.to_lowercase().replace('_', " ");
    if entity.ends_with("_TAG") {
        data["key"] = json!("example_key");
    } else if entity.ends_with("_ALIAS") {
        data["alias"] = json!("example_alias");
    } else {
        data["tags"] = json!({ "example_key": "example_value" });
        data["description"] = json!(format!("An example {what}"));
    }
    if entity.contains("VERSION") && !(entity.ends_with("_ALIAS") && action == "DELETED")
        || entity == "PROMPT_ALIAS" && action == "CREATED"
    {
        data["version"] = json!("1");
    }
    match (entity, action) {
        ("MODEL_VERSION", _) => {
            data["source"] = json!("models:/123");
            data["run_id"] = json!("abcd1234abcd5678");
        }
        ("PROMPT_VERSION", _) => data["template"] = json!("Hello {{name}}!"),
        (_, "SET") => data["value"] = json!("example_value"),
        _ => {}
    }
    data
}

/// Returns the receiver to try and the event to try it with: the one asked for, or the first it listens to.
fn to_try(
    platform: &Platform,
    fields: &Fields<'_>,
) -> Result<(Webhook, Event, Option<String>), ApiError> {
    let webhook = webhooks::get(platform, &fields.required("webhook_id")?)?;
    let asked = fields
        .object("event")?
        .map(|event| event_of(&event))
        .transpose()?;
    let (entity, action) = asked
        .or_else(|| webhook.events.first().cloned())
        .unwrap_or_default();
    let known = EVENTS.iter().find(|(known, _)| *known == entity);
    let known = known.and_then(|(entity, actions)| {
        actions
            .iter()
            .find(|known| **known == action)
            .map(|action| (*entity, *action))
    });
    let (entity, action) = known
        .ok_or_else(|| TrackingError::invalid(format!("There is no event {entity}.{action}")))?;
    let data = example(entity, action);
    let secret = webhooks::secret_of(&platform.store, &webhook)?;
    Ok((
        webhook,
        Event {
            entity,
            action,
            data,
        },
        secret,
    ))
}
