use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::Failure;

/// Prints the completions for `shell`.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    // Into memory first: the generator panics where standard output is a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "enqueue", &mut script);
    stdout().lock().write_all(&script)?;
    Ok(())
}

/// Writes `enqueue.1` and a page for each command into `folder`.
pub fn pages(folder: &Path) -> Result<(), Failure> {
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    written.map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))
}
