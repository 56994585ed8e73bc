//! One file a job; its name is the job's name in logs. `crate::runner` lists them all.

/// Applies stored webhooks.
pub mod apply_webhooks;
/// The outcome of a call, and how it is written down.
pub mod call_outcome;
/// Asks for a provider's balance.
pub mod check_balance;
/// Heartbeats, and decisions that follow from the time alone.
pub mod housekeeping;
/// Forgets what is finished and older than the settings say.
pub mod retention;
/// Sends people to Clodura, one a request.
pub mod reveal_clodura;
/// Sends people to Ocean, many a request.
pub mod reveal_ocean;
/// The steps of both reveal jobs around the request itself.
pub mod send_call;
/// Polls Clodura's tracking ids.
pub mod track_clodura;
