//! `veracta plan`: how many rows a study needs.

use anyhow::bail;
use serde_json::json;
use veracta_statistics::paired::{n_for_half_width, n_for_non_inferiority};

use crate::args::{Args, Format, Plan};
use crate::output::{Answer, check_level, print, print_json};

/// What the study is to show.
enum Study {
    /// That a paired share is not worse by more than a margin.
    NonInferiority {
        margin: f64,
        discordant: f64,
        power: f64,
    },
    /// One share, to within a half width.
    Share { share: f64, half_width: f64 },
}

pub(super) fn execute(args: &Args, options: &Plan) -> anyhow::Result<Answer> {
    let Plan {
        margin,
        discordant,
        power,
        half_width,
        share,
        level,
    } = *options;
    let study = match (margin, half_width) {
        (_, Some(half_width)) => Study::Share { share, half_width },
        (margin, None) => Study::NonInferiority {
            margin: margin.unwrap_or(f64::NAN),
            discordant,
            power,
        },
    };
    check_level(level)?;
    let shares = match study {
        Study::NonInferiority {
            margin,
            discordant,
            power,
        } => vec![margin, discordant, power],
        Study::Share { share, half_width } => vec![share, half_width],
    };
    // Below a hundred-thousandth a study needs more rows than there are people.
    if shares.iter().any(|share| !(*share >= 1e-5 && *share < 1.0)) {
        bail!("margins, widths and shares lie between 0.00001 and 1");
    }
    let (n, text) = match study {
        Study::NonInferiority {
            margin,
            discordant,
            power,
        } => {
            let n = n_for_non_inferiority(discordant, margin, level, power);
            (
                n,
                format!(
                    "{n} rows show with a probability of {power} that two equally good models that differ on {discordant} of the rows are within {margin}\n"
                ),
            )
        }
        Study::Share { share, half_width } => {
            let n = n_for_half_width(share, half_width, level);
            (
                n,
                format!(
                    "{n} rows measure a share around {share} to within {half_width} on each side (Wilson, {level})\n"
                ),
            )
        }
    };
    match args.format {
        Format::Json => print_json(&json!({ "n_rows": n, "level": level }))?,
        Format::Human | Format::Html | Format::Md => print(&text)?,
    }
    Ok(Answer::Yes)
}
