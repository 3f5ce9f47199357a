//! What a record rests on, as text and as a drawing.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use veracta_governance::evidence::EvidenceSet;
use veracta_store::Store;

use crate::LifecycleError;

/// One record of a lineage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LineageNode {
    /// Position of its entry in the ledger, counted from 0.
    pub idx: u64,
    /// Kind of the record, such as `model.version`.
    pub kind: String,
    /// What the record is about, such as `model:churn` or `dataset:customers`.
    pub subject: String,
    /// First digits of its digest.
    pub digest: String,
    /// Records it rests on directly; those it also reaches through another one are left out.
    pub rests_on: Vec<u64>,
    /// Longest way from a record that rests on nothing.
    pub depth: usize,
}

/// Returns the lineage of a record in ledger order.
pub fn lineage(store: &Store, idx: u64) -> Result<Vec<LineageNode>, LifecycleError> {
    Ok(nodes(&store.lineage(idx)?))
}

fn nodes(evidence: &EvidenceSet) -> Vec<LineageNode> {
    let mut reach: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut nodes: Vec<LineageNode> = Vec::new();
    for item in evidence.iter() {
        let direct: Vec<u64> = item
            .entry
            .links
            .iter()
            .map(|link| link.idx)
            .filter(|idx| *idx != 0)
            .collect();
        let is_indirect = |idx: &u64| {
            direct.iter().any(|other| {
                reach
                    .get(other)
                    .is_some_and(|reached| reached.contains(idx))
            })
        };
        let rests_on: Vec<u64> = direct
            .iter()
            .copied()
            .filter(|idx| !is_indirect(idx))
            .collect();
        let mut reached: Vec<u64> = direct
            .iter()
            .flat_map(|idx| reach.get(idx).cloned().unwrap_or_default())
            .chain(direct.clone())
            .collect();
        reached.sort_unstable();
        reached.dedup();
        reach.insert(item.idx, reached);
        let depth_of = |idx: &u64| {
            nodes
                .iter()
                .find(|node| node.idx == *idx)
                .map_or(0, |node| node.depth)
        };
        let depth = rests_on
            .iter()
            .map(|idx| depth_of(idx) + 1)
            .max()
            .unwrap_or(0);
        nodes.push(LineageNode {
            idx: item.idx,
            kind: item.entry.kind.clone(),
            subject: item.entry.subject.clone(),
            digest: item.entry.body.short(),
            rests_on,
            depth,
        });
    }
    // The opening of the log is under everything and says nothing here.
    nodes.retain(|node| node.kind != "ledger.checkpoint");
    nodes
}

/// Returns the lineage as lines, latest first.
pub fn to_text(nodes: &[LineageNode]) -> String {
    let mut text = String::new();
    for node in nodes.iter().rev() {
        let rests_on: Vec<String> = node.rests_on.iter().map(|idx| format!("#{idx}")).collect();
        let arrow = if rests_on.is_empty() {
            String::new()
        } else {
            format!("  ←  {}", rests_on.join(" "))
        };
        writeln!(
            text,
            "#{:<5} {:<22} {:<28} {}{arrow}",
            node.idx, node.kind, node.subject, node.digest
        )
        .expect("writing to a string cannot fail");
    }
    text
}

/// Draws the lineage: what a record rests on stands to its left.
pub fn to_svg(nodes: &[LineageNode]) -> String {
    let (box_width, box_height, gap_x, gap_y) = (190.0, 46.0, 60.0, 18.0);
    let mut columns: BTreeMap<usize, Vec<&LineageNode>> = BTreeMap::new();
    nodes
        .iter()
        .for_each(|node| columns.entry(node.depth).or_default().push(node));
    let tallest = columns.values().map(Vec::len).max().unwrap_or(0);
    let mut places: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for (depth, column) in &columns {
        for (row, node) in column.iter().enumerate() {
            let y =
                20.0 + ((tallest - column.len()) as f64 / 2.0 + row as f64) * (box_height + gap_y);
            places.insert(node.idx, (20.0 + *depth as f64 * (box_width + gap_x), y));
        }
    }
    let width = 40.0 + columns.len() as f64 * (box_width + gap_x) - gap_x;
    let height = 40.0 + tallest as f64 * (box_height + gap_y) - gap_y;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"system-ui,sans-serif\" role=\"img\" aria-label=\"Lineage\">\
         <style>rect{{fill:#f6f8fb;stroke:#9fb0c8}}.last{{fill:#e8f0fe;stroke:#2456a6;stroke-width:2}}path{{fill:none;stroke:#9fb0c8;stroke-width:1.4}}text{{fill:#1c2330;font-size:13px;font-weight:600}}.soft{{fill:#5b6678;font-size:11px;font-weight:400}}\
         @media (prefers-color-scheme:dark){{rect{{fill:#1a202c;stroke:#4a5a75}}.last{{fill:#1b2c4a;stroke:#7fb0ff}}text{{fill:#e6eaf2}}.soft{{fill:#9aa6ba}}}}</style>"
    );
    for node in nodes {
        let (x, y) = places[&node.idx];
        for source in node.rests_on.iter().filter_map(|idx| places.get(idx)) {
            let (from_x, from_y, to_y) = (
                source.0 + box_width,
                source.1 + box_height / 2.0,
                y + box_height / 2.0,
            );
            let middle = (from_x + x) / 2.0;
            svg += &format!(
                "<path d=\"M{from_x} {from_y}C{middle} {from_y} {middle} {to_y} {x} {to_y}\"/>"
            );
        }
    }
    let last = nodes.last().map(|node| node.idx);
    for node in nodes {
        let class = match Some(node.idx) == last {
            true => " class=\"last\"",
            false => "",
        };
        svg += &svg_box(node, places[&node.idx], (box_width, box_height), class);
    }
    svg + "</svg>\n"
}

/// Draws one record: its kind, its place in the ledger and the start of its digest.
fn svg_box(
    node: &LineageNode,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    class: &str,
) -> String {
    let (text_x, kind_y, place_y) = (x + 12.0, y + 19.0, y + 36.0);
    let LineageNode {
        kind, idx, digest, ..
    } = node;
    format!(
        "<rect{class} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"7\"/>\
         <text x=\"{text_x}\" y=\"{kind_y}\">{kind}</text>\
         <text class=\"soft\" x=\"{text_x}\" y=\"{place_y}\">#{idx} · {digest}</text>"
    )
}
