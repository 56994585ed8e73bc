//! A local stand-in for both providers: it answers as their documentation says, remembers what it was asked and what it
//! charged, and goes wrong on demand, in ways that are seeded and can be repeated.
//!
//! ```no_run
//! # async fn demo() -> Result<(), sandbox::StartError> {
//! let mut config = sandbox::Config::instant();
//! config.ocean.faults.drop_after_rate = 0.1;
//! let sandbox = sandbox::Sandbox::start(config).await?;
//! println!("both providers are at {}", sandbox.base_url());
//! # Ok(())
//! # }
//! ```
//!
//! The sandbox was written from the providers' documentation alone and shares no code with the clients, so that a
//! mistake in one doesn't hide in the other.

mod account; // the accounts' credits
mod admin; // the endpoints under /sandbox
mod chance; // seeded decisions
mod clock; // the machine's time
mod clodura; // Clodura's endpoints
mod clodura_request; // what Clodura accepts
mod clodura_result; // what Clodura answers in the end
mod clodura_state; // what Clodura knows about its customer
mod config; // all knobs together: merging, checking
mod delivery; // makes results and sends webhooks when they are due
mod endpoint; // the endpoints by name
mod exchange; // one request, from arrival to answer
mod expected; // who has which numbers
mod fault_config; // the knobs for what goes wrong
mod faults; // what goes wrong with requests
mod in_flight; // requests that are open
mod limits; // rate and quota
mod linkedin; // which person an address means
mod lock; // locking that never panics
mod numbers; // made-up phone numbers
mod ocean; // Ocean's endpoints
mod ocean_lookup; // Ocean's endpoint for people's ids
mod ocean_request; // what Ocean accepts
mod ocean_state; // what Ocean knows about its customer
mod odd; // bodies that are not as published
mod provider; // one of the two providers
mod provider_config; // the knobs of the two providers
mod queue; // work that is still to happen
mod reply; // what is sent to a provider, and what it answers
mod sandbox_state; // what all requests share
mod script; // scripted answers
mod server; // the handle of a running sandbox
mod stats; // counting
mod webhook_faults; // what goes wrong with webhooks
mod wire; // connections that can be broken

pub use config::{
    CloduraConfig, Config, ConfigError, DeliveryConfig, LimitConfig, Locate, OceanBody,
    OceanConfig, OceanPlan, PendingText, Plan, RequestFaults, WebhookFaults,
};
pub use endpoint::{Endpoint, Kind};
pub use expected::{Expected, Marker, SOURCES};
pub use numbers::Number;
pub use provider::Provider;
pub use script::ScriptedResponse;
pub use server::{Sandbox, StartError};
pub use stats::{PeopleFilter, PersonStats, ProviderStats, Stats, WebhookStats};
