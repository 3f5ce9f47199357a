//! `veracta show`: one record with its entry.

use serde_json::{Value, json};
use veracta_lifecycle::registry::resolve;

use crate::args::{Args, Format};
use crate::output::{Answer, Paint, print, print_json};

pub(super) fn execute(args: &Args, reference: &str) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    let item = resolve(&platform.store, reference)?;
    let record: Value = serde_json::from_slice(&item.record.to_bytes()?)?;
    let actor = platform.store.actor_name(&item.entry.actor)?;
    if args.format == Format::Json {
        print_json(
            &json!({ "idx": item.idx, "entry": item.entry, "record": record, "actor_name": actor }),
        )?;
        return Ok(Answer::Yes);
    }
    let paint = Paint::stdout();
    let name = actor.map_or("name erased".to_owned(), |name| {
        format!("{name}, known here only")
    });
    let mut text = format!(
        "{}\n",
        paint.strong(&format!(
            "#{} {} · {}",
            item.idx, item.entry.kind, item.entry.subject
        ))
    );
    text += &format!(
        "recorded  {} by {} ({name})\nSHA-256   {}\n",
        item.entry.at, item.entry.actor, item.entry.body
    );
    let rests_on: Vec<String> = item
        .entry
        .links
        .iter()
        .map(|link| format!("#{}", link.idx))
        .collect();
    if !rests_on.is_empty() {
        text += &format!("rests on  {}\n", rests_on.join(" "));
    }
    for artifact in &item.entry.artifacts {
        let personal = if artifact.personal {
            ", may hold personal data"
        } else {
            ""
        };
        text += &format!(
            "artefact  {} {} ({} bytes{personal})\n",
            artifact.name, artifact.digest, artifact.bytes
        );
    }
    text.push('\n');
    outline(&record["body"], 0, &mut text);
    print(&text)?;
    Ok(Answer::Yes)
}

/// Writes a value as an indented outline; short lists and objects stay on one line.
fn outline(value: &Value, depth: usize, text: &mut String) {
    let pad = "  ".repeat(depth);
    let is_short =
        |value: &Value| !value.is_object() && !value.is_array() || value.to_string().len() <= 90;
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if is_short(value) {
                    *text += &format!("{pad}{name}: {}\n", plain(value));
                } else {
                    *text += &format!("{pad}{name}:\n");
                    outline(value, depth + 1, text);
                }
            }
        }
        Value::Array(items) => {
            for item in items.iter().take(40) {
                if is_short(item) {
                    *text += &format!("{pad}- {}\n", plain(item));
                } else {
                    *text += &format!("{pad}-\n");
                    outline(item, depth + 1, text);
                }
            }
            if items.len() > 40 {
                *text += &format!("{pad}… {} more (use --format json)\n", items.len() - 40);
            }
        }
        other => *text += &format!("{pad}{}\n", plain(other)),
    }
}
