//! What Clodura accepts as a request for a phone number.

use serde_json::{Value, json};

use crate::{
    config::CloduraConfig,
    expected::{self, Marker},
    linkedin::{self, Address},
    ocean_request::is_web_address,
    reply::Reply,
};

/// A valid request.
pub(crate) struct Ask {
    /// The id under which the person is answered.
    pub(crate) person_id: String,
    pub(crate) via_partners: bool,
    pub(crate) url: Option<String>,
}

/// Reads a body or says what is wrong with it.
pub(crate) fn read(config: &CloduraConfig, body: &[u8]) -> Result<Ask, Reply> {
    let missing = |text| message(config.missing_field_status, text);
    let body: Value = serde_json::from_slice(body)
        .map_err(|_| message(400, "Bad request: the body is not JSON"))?;
    if !body.is_object() {
        return Err(message(400, "Bad request: the body is not an object"));
    }
    let via_partners = match body.get("revealPhoneNumberViaPartners") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(via)) => *via,
        Some(_) => return Err(message(422, "revealPhoneNumberViaPartners must be a boolean")),
    };
    let url = text(&body, "webhookUrl")?;
    if url.is_some_and(|url| !is_web_address(url)) {
        return Err(message(422, "webhookUrl must be a valid URL"));
    }
    if via_partners && url.is_none() {
        return Err(missing("webhookUrl is required when revealPhoneNumberViaPartners is true"));
    }
    let person_id = match (text(&body, "personId")?, text(&body, "linkedinUrl")?) {
        (Some(id), _) => id.to_owned(),
        (None, Some(address)) => by_address(address)?,
        (None, None) => return Err(missing("personId or linkedinUrl is required")),
    };
    if Marker::of(&person_id) == Some(Marker::Bad) {
        return Err(message(422, "Unprocessable entity: not a valid person"));
    }
    Ok(Ask { person_id, via_partners, url: url.map(str::to_owned) })
}

fn by_address(address: &str) -> Result<String, Reply> {
    match linkedin::read(address) {
        Address::Profile(_) => Ok(expected::person_id(address)),
        Address::SalesNavigator => Err(message(
            422,
            "LinkedIn Sales Navigator URLs are not supported. Supply a standard linkedin.com/in/ profile URL.",
        )),
        Address::Other => {
            Err(message(422, "linkedinUrl must be a standard linkedin.com/in/ profile URL"))
        }
    }
}

/// A text that may be absent; an empty one counts as absent.
fn text<'a>(body: &'a Value, name: &str) -> Result<Option<&'a str>, Reply> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
        Some(_) => Err(message(422, &format!("{name} must be a string"))),
    }
}

/// Error bodies aren't documented; this is their usual form.
pub(crate) fn message(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({"message": text}))
}
