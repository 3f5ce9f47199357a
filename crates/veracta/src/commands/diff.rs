//! `veracta diff`: the differences between two records.

use veracta_lifecycle::registry::{diff, resolve};

use crate::args::{Args, Format};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(args: &Args, before: &str, after: &str) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    let (first, second) = (
        resolve(&platform.store, before)?,
        resolve(&platform.store, after)?,
    );
    if first.entry.kind != second.entry.kind {
        anyhow::bail!(
            "`{before}` is a {} and `{after}` a {}: only records of one kind can be compared",
            first.entry.kind,
            second.entry.kind
        );
    }
    let differences = diff(&platform.store, &first, &second)?;
    if args.format == Format::Json {
        print_json(&differences)?;
    } else if differences.is_empty() {
        print(&format!(
            "#{} and #{} say the same\n",
            first.idx, second.idx
        ))?;
    } else {
        let mut text = format!("#{} → #{} ({})\n", first.idx, second.idx, first.entry.kind);
        for difference in &differences {
            text += &format!(
                "  {:<44} {} → {}\n",
                difference.facet,
                shorten(&difference.before),
                shorten(&difference.after)
            );
        }
        print(&text)?;
    }
    Ok(differences.is_empty().into())
}

fn shorten(value: &serde_json::Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= 60 {
        text
    } else {
        text.chars().take(59).chain(['…']).collect()
    }
}
