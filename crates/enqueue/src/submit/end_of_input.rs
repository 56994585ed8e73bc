//! The end of the input: whether it is accepted or refused, and what happens to its bad rows.

use super::SubmitArgs;
use super::bad_rows::BadRows;
use super::row_stream::{Input, ReadError, RowStream};
use crate::failure::Failure;
use crate::output::{count, number, say};

/// Waits for the end of the input. Fails if the input is refused.
pub async fn finished(stream: &mut RowStream, args: &SubmitArgs) -> Result<Input, Failure> {
    let input = match (&mut stream.end).await {
        Ok(Ok(input)) => input,
        Ok(Err(ReadError::Input(error))) => return Err(error.into()),
        Ok(Err(ReadError::Rejected(error))) => return Err(not_kept(&error)),
        Err(_) => return Err(Failure::Failed("reading ended before the input did".into())),
    };
    input.warnings.iter().for_each(|line| say(line));
    if input.bad.count > 0 && (!args.skip_invalid || input.rows == 0) {
        list(&input.bad);
        return Err(Failure::Refused(format!(
            "{} of {}: nothing was enqueued{}",
            count(input.bad.count, "bad row"),
            number(input.rows + input.bad.count),
            if args.skip_invalid {
                ""
            } else {
                "; fix the input, or leave bad rows out by --skip-invalid"
            },
        )));
    }
    if input.rows == 0 {
        return Err(Failure::Refused("there is no row in the input; nothing was enqueued".into()));
    }
    Ok(input)
}

fn list(bad: &BadRows) {
    bad.lines().iter().for_each(|line| say(line));
    let more = bad.count - bad.listed();
    if more > 0 {
        say(&format!("… and {} more", count(more, "bad row")));
    }
}

/// Gives the files of bad rows their names. This comes before the batch is published: without the files nothing would
/// show which rows the batch lacks.
pub fn keep_rejected(input: Input) -> Result<(), Failure> {
    let Some(rejected) = input.rejected.filter(|_| input.bad.count > 0) else { return Ok(()) };
    let files = rejected.finish().map_err(|error| not_kept(&error))?;
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    say(&format!("{} left out, see {}", count(input.bad.count, "bad row"), files.join(", ")));
    Ok(())
}

fn not_kept(error: &std::io::Error) -> Failure {
    Failure::Failed(format!(
        "the bad rows can't be written next to the input ({error}); nothing was enqueued"
    ))
}
