//! `veracta log`: the ledger, latest first.

use serde_json::json;

use crate::args::{Args, Format};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(args: &Args, kind: Option<&str>, limit: usize) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    let all = match kind {
        Some(kind) => platform.store.of_kind(kind)?,
        None => platform.store.all()?,
    };
    let shown = all.iter().rev().take(limit);
    if args.format == Format::Json {
        let entries: Vec<_> = shown
            .map(|item| json!({ "idx": item.idx, "entry": item.entry }))
            .collect();
        print_json(&entries)?;
        return Ok(Answer::Yes);
    }
    let mut text = String::new();
    for item in shown {
        text += &format!(
            "#{:<5} {}  {:<22} {:<28} {}\n",
            item.idx,
            item.entry.at,
            item.entry.kind,
            shorten(&item.entry.subject),
            item.entry.body.short()
        );
    }
    if all.len() > limit {
        text += &format!("… {} earlier entries (use -n)\n", all.len() - limit);
    }
    if all.is_empty() {
        text += "no such records\n";
    }
    print(&text)?;
    Ok(Answer::Yes)
}

fn shorten(subject: &str) -> String {
    if subject.chars().count() <= 28 {
        subject.to_owned()
    } else {
        subject.chars().take(27).chain(['…']).collect()
    }
}
