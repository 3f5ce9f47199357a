//! The command line: translates arguments into lifecycle calls, prints, and chooses the exit code (0 yes, 1 no, 2 error).
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod args;
mod commands;
mod output;

use std::process::ExitCode;

use clap::FromArgMatches;

fn main() -> ExitCode {
    let matches = args::command().try_get_matches();
    let args = match matches.and_then(|matches| args::Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(error) => {
            // Printing usage to a closed pipe has nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match commands::execute(&args) {
        Ok(output::Answer::Yes) => ExitCode::SUCCESS,
        Ok(output::Answer::No) => ExitCode::from(1),
        Err(error) => {
            output::print_error(&error, args.format);
            ExitCode::from(2)
        }
    }
}
