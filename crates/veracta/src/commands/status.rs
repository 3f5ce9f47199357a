//! `veracta status`: what is in the workspace.

use std::collections::BTreeMap;

use serde_json::json;
use veracta_governance::record::Record;
use veracta_ledger::checkpoint::Checkpoint;

use crate::args::{Args, Format};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(args: &Args) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    let store = &platform.store;
    let all = store.all()?;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    all.iter()
        .for_each(|item| *kinds.entry(item.entry.kind.as_str()).or_default() += 1);
    let mut models = BTreeMap::new();
    for item in &all {
        if let Record::ModelVersion(body) = &item.record {
            models.insert(
                (body.model.clone(), body.version),
                (body.status.word(), body.digest.short(), item.idx),
            );
        }
    }
    let note = store.published_checkpoint()?;
    let head = note.and_then(|note| Checkpoint::open(note.as_bytes(), store.log_key()).ok());
    let (signed, root) = head.map_or((0, String::new()), |(head, _)| {
        (head.size, head.root.to_string())
    });
    if args.format == Format::Json {
        let models: Vec<_> = models
            .iter()
            .map(|((model, version), (status, digest, idx))| json!({ "model": model, "version": version, "status": status, "digest": digest, "idx": idx }))
            .collect();
        print_json(
            &json!({ "log": store.log_key().name(), "key": store.log_key().to_string(), "entries": all.len(), "signed": signed, "root": root, "records": kinds, "models": models }),
        )?;
        return Ok(Answer::Yes);
    }
    let mut text = format!(
        "log      {}\nentries  {} ({signed} under the signed checkpoint)\n",
        store.log_key().name(),
        all.len()
    );
    if models.is_empty() {
        text += "models   none yet; `veracta run pipeline.yaml` trains one\n";
    }
    for ((model, version), (status, digest, idx)) in &models {
        text += &format!("model    {model}@{version:<3} {status:<10} {digest}  #{idx}\n");
    }
    for (kind, count) in &kinds {
        text += &format!("records  {count:>5} {kind}\n");
    }
    print(&text)?;
    Ok(Answer::Yes)
}
