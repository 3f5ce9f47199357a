//! The overview that `veracta --help` prints: commands by stage, one line each.

use clap::CommandFactory;

use super::Args;

/// A heading with (command, what it does, in at most 60 characters).
type Group = (&'static str, &'static [(&'static str, &'static str)]);

/// Every command, in the group where a newcomer would look for it.
const GROUPS: [Group; 6] = [
    (
        "Workspace",
        &[
            (
                "init",
                "Create a workspace with a database and a signing key",
            ),
            ("status", "Show what the workspace holds"),
            ("log", "List the records of the ledger, latest first"),
            ("show", "Show one record"),
            ("demo", "Run a complete example in a new folder"),
        ],
    ),
    (
        "Pipeline",
        &[
            ("run", "Run a pipeline file from data to documents"),
            ("gate", "Show what the gate decided about a model, and why"),
            ("controls", "Show what the evidence says for each control"),
            ("document", "Write a document about a model"),
            (
                "reproduce",
                "Run a recorded pipeline again and compare the results",
            ),
            ("lineage", "Show which records a record depends on"),
            ("diff", "Show the differences between two records"),
            ("schema", "Print the JSON Schema of the pipeline file"),
        ],
    ),
    (
        "Measure (files, no workspace needed)",
        &[
            (
                "profile",
                "Profile a data file and search it for identifiers",
            ),
            ("predict", "Apply a model to a data file"),
            ("explain", "Explain a model's predictions"),
            ("evaluate", "Measure performance, calibration and fairness"),
            ("compare", "Compare two models on the same rows"),
            ("drift", "Find columns whose distribution changed"),
            (
                "watch",
                "Find the rows at which a stream of numbers changes",
            ),
            ("robustness", "Test a model with noisy and missing inputs"),
            (
                "membership",
                "Test whether a model reveals its training rows",
            ),
            (
                "anonymity",
                "Measure k-anonymity, l-diversity and t-closeness",
            ),
            (
                "neighbours",
                "Test whether synthetic rows are copies of real ones",
            ),
            ("plan", "Calculate how many rows a study needs"),
        ],
    ),
    (
        "Evidence",
        &[
            ("evidence", "Export a bundle of evidence for an auditor"),
            ("verify", "Check a bundle or the workspace"),
            ("ledger", "Inspect and rebuild the files of the ledger"),
        ],
    ),
    (
        "Tracking",
        &[
            ("serve", "Start the server for MLflow's clients"),
            ("import", "Import experiments, runs and models from MLflow"),
            ("export", "Export the workspace for another program"),
        ],
    ),
    (
        "Administration",
        &[
            ("user", "Manage who may use the server, and their roles"),
            ("token", "Create and revoke access tokens"),
            ("purge", "Delete a tracked run for good, with a receipt"),
            ("backup", "Copy the workspace into a folder"),
            ("restore", "Create a workspace from a backup"),
            ("completions", "Print a completion script for a shell"),
        ],
    ),
];

/// Returns the command line's definition, with the overview as its help.
pub(crate) fn command() -> clap::Command {
    let mut listed = String::new();
    for (heading, commands) in GROUPS {
        listed += &format!("{heading}:\n");
        for (name, summary) in commands {
            listed += &format!("  {name:<12} {summary}\n");
        }
        listed.push('\n');
    }
    listed += "`veracta COMMAND --help` explains a command.";
    Args::command().help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{listed}\n\nOptions:\n{{options}}{{after-help}}"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_is_in_one_group_with_one_line() {
        let listed: Vec<&(&str, &str)> =
            GROUPS.iter().flat_map(|(_, commands)| *commands).collect();
        let names: BTreeSet<&str> = listed.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), listed.len(), "no command is there twice");
        let definition = Args::command();
        let defined: BTreeSet<&str> = definition
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        assert_eq!(names, defined);
        for (name, summary) in listed {
            assert!(
                summary.len() <= 60 && !summary.ends_with('.'),
                "{name}: {summary}"
            );
        }
    }
}
