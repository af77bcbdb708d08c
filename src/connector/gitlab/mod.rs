//! GitLab, by its REST interface v4 and with an administrator's token (`gitlab.md`). Versions 16 to 18.
//!
//! Its odd habits:
//! - It answers 200 and drops what it does not know, what only the person may change, and what it takes from a login
//!   provider itself. The only sign is the unchanged value in the answer, which is why every answer is handed on whole.
//! - A new e-mail address waits for its confirmation, out of sight, unless the request says otherwise; ours does. The old
//!   one stays with the account as a secondary address and is taken for everybody else. An address found to be taken that
//!   way is the fact `also_holds` of its account.
//! - Texts of errors are translated into the language of the token's owner, so nothing here reads them.
//! - `commit_email` shows the primary address where there is none, and an address at a host of GitLab's own for
//!   `_private`; the latter is shown as `_private` again.
//!
//! - A removal from a group reaches into the groups inside it, unless the request says otherwise; ours does.
//!
//! It makes no groups and deletes no accounts, and of memberships it knows those that a person has herself.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio::sync::OnceCell;

use crate::{
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{Capabilities, Change, Foresight},
        plan::{Call, Operation, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Dialect, Reader, Reply, Writer},
};

use self::{
    groups::Groups,
    membership::SET,
    observe::Looker,
    proof::Matter,
    reply::Answer,
    settings::{Settings, TokenKind},
    table::CAPABILITIES,
};

use super::{Connector, ConnectorError, Kind, Standing, unavailable};

mod allowance;
mod settings;
mod table;

mod level;

mod membership;

mod operations;

mod switch;

mod foresee;

mod calls;

mod observe;

mod groups;

mod reply;

mod proof;

#[cfg(test)]
mod served;

/// GitLab, for the list of kinds.
pub(crate) const KIND: Kind = Kind {
    name: "gitlab",
    capabilities: &CAPABILITIES,
    open: |settings| Ok(Box::new(GitLab { settings: serde_json::from_value(settings)?, server: OnceCell::new() })),
    schema: || schemars::schema_for!(Settings).to_value(),
};

struct GitLab {
    settings: Settings,
    /// Who we are and what the server is like: asked once.
    server: OnceCell<Facts>,
}

#[async_trait]
impl Connector for GitLab {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn dialect(&self) -> Dialect {
        Dialect { allowance: allowance::allowance, requests: 1, ..Dialect::default() }
    }

    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError> {
        Looker::new(*wire, self.settings.token_kind).standing().await
    }

    async fn observe(&self, wanted: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        let looker = Looker::new(*wire, self.settings.token_kind);
        let mut server = self.server.get_or_try_init(|| looker.server_facts()).await?.clone();
        let groups = Groups::read(&looker, wanted).await?;
        server.extend(groups.facts());
        let mut observed = looker.observe(wanted, server).await?;
        if groups.are_wanted() {
            observed.accounts.edit(|account| groups.show(wire.system(), account));
        }
        Ok(observed)
    }

    async fn observe_self(&self, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        Looker::new(*wire, self.settings.token_kind).own().await
    }

    fn has_own_tokens(&self) -> bool {
        true
    }

    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        match (attribute.local(), value) {
            // A sign-in name loses the blanks around it; the other addresses do not.
            // A level is one of a few words, however it is written.
            ("email" | SET, Value::Text(text)) => Value::text(&text.trim().to_lowercase()),
            ("public_email" | "commit_email", Value::Text(text)) => Value::text(&text.to_lowercase()),
            ("display_name", Value::Text(text)) => Value::text(&without_markup(text)),
            _ => value.clone(),
        }
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        foresee::foresee(account, change, &self.settings)
    }

    fn stands_alone(&self, account: &Packed<'_>) -> bool {
        foresee::stands_alone(account, &self.settings)
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        calls::calls(account, changes)
    }

    fn operation(
        &self,
        account: &Account,
        operation: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Request, Refusal> {
        operations::operation(account, operation, arguments)
    }

    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
        proof::before(call, &Looker::new(wire.reader(), self.settings.token_kind)).await?;
        let reply = wire.send().await.map_err(|error| unavailable(&error))?;
        settle(call, &reply, wire.reader(), self.settings.token_kind).await
    }

    fn has_looked(&self, call: &Call) -> bool {
        // Their answers show nothing of the account.
        matches!(call.operation, Operation::Enable | Operation::Disable)
    }
}

/// What came of a call: what the answer shows, or a second look where it shows nothing or could mean two things.
async fn settle(call: &Call, reply: &Reply, wire: Reader<'_>, token: TokenKind) -> Result<Account, Refusal> {
    let looker = Looker::new(wire, token);
    if let Some(matter) = Matter::of(call) {
        return proof::settle(call, &matter, reply, &looker, token).await;
    }
    if !reply.is_success() {
        return Err(understand(call, reply, &looker, token).await);
    }
    // A state call answers true, false or null (section 4), which tells nothing of the account.
    let shown = match call.operation {
        Operation::Create | Operation::Update => reply.json(),
        Operation::Disable | Operation::Enable | Operation::Perform => None,
    };
    if let Some(account) = shown.and_then(|user| reply::account(wire.system(), &user, &Arc::default())) {
        return Ok(account);
    }
    let unseen =
        |reason: &str| Refusal { status: Some(reply.status), ..Refusal::new(RefusalKind::Unavailable, reason) };
    let Some(id) = &call.account else { return Err(unseen("GitLab said yes and did not show the new account")) };
    match looker.account(id).await {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(Refusal::new(RefusalKind::NotFound, "GitLab has no such account any more")),
        Err(_) => Err(unseen("GitLab said yes, but the account could not be looked at afterwards")),
    }
}

/// Understands a no, with a second look where the answer alone could mean two things.
async fn understand(call: &Call, reply: &Reply, looker: &Looker<'_>, token: TokenKind) -> Refusal {
    let refusal = reply::refusal(&Answer::from(reply), &call.body, token);
    let sent = |field: &str| call.body.get(field).and_then(Json::as_str);
    match (refusal.kind, reply.status, call.operation) {
        (RefusalKind::Taken, 409, _) if sent("username").is_some() && sent("email").is_some() => {
            let (names, addresses) = looker.holders(sent("username"), sent("email")).await;
            let by_others = |holders: &[Account]| holders.iter().any(|holder| holder.id != call.account);
            let (kind, reason) = match (by_others(&names), by_others(&addresses)) {
                (false, false) => reply::taken(true, true),
                (name, address) => reply::taken(name, address),
            };
            Refusal { kind, reason, ..refusal }
        }
        // By its documentation GitLab says "not found" about an address that is taken.
        (RefusalKind::NotFound, _, Operation::Update) if sent("email").is_some() => match &call.account {
            Some(id) if matches!(looker.account(id).await, Ok(Some(_))) => {
                let (kind, reason) = reply::taken(false, true);
                Refusal { kind, reason, ..refusal }
            }
            _ => refusal,
        },
        (RefusalKind::NotFound, _, Operation::Create) => {
            let reason = "GitLab creates no accounts at this address: is `url` right?".to_owned();
            Refusal { kind: RefusalKind::Unsupported, reason, ..refusal }
        }
        // An administrator is turned away from an account for what the account is.
        (RefusalKind::Forbidden, 403, Operation::Disable | Operation::Enable) if refusal.code.is_none() => {
            let Some(Ok(Some(account))) = (match &call.account {
                Some(id) => Some(looker.account(id).await),
                None => None,
            }) else {
                return refusal;
            };
            let reason = match switch::switch(&account, call.operation == Operation::Enable) {
                Err(foreseen) => foreseen.reason,
                Ok(_) => {
                    "GitLab does not let the state of this account be changed: it may be an account of GitLab's own, \
                          belong to LDAP, be our own, or have changed since the plan was made"
                        .to_owned()
                }
            };
            Refusal { reason, ..refusal }
        }
        _ => refusal,
    }
}

/// Display names lose what looks like markup, without a word (`gitlab.md` 3.2): each `<…>` and each lone `<` or `>`
/// becomes a hyphen.
fn without_markup(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>']) {
        clean.push_str(&rest[..at]);
        clean.push('-');
        let is_open = rest[at..].starts_with('<');
        let end = rest[at..].find('>').filter(|_| is_open).unwrap_or(0);
        rest = &rest[at + end + 1..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{served::Served, *};
    use crate::model::{capability::Replay, id::PersonId};

    fn call(operation: Operation, body: Json) -> Call {
        Call {
            id: "c1".into(),
            system: "gitlab".into(),
            person: PersonId::parse("hr/1").unwrap(),
            account: (operation != Operation::Create).then(|| "42".into()),
            operation,
            performs: None,
            method: "PUT".to_owned(),
            path: "/answer".to_owned(),
            headers: BTreeMap::new(),
            body,
            generated: Vec::new(),
            expects: BTreeMap::new(),
            intends: BTreeMap::new(),
            replay: Replay::Repeat,
            after: Vec::new(),
        }
    }

    fn user(id: u64, username: &str, email: &str, state: &str) -> Json {
        json!({ "id": id, "username": username, "name": "N", "state": state, "email": email, "is_admin": false })
    }

    /// What the connector makes of an answer to a call, on a server that holds the given users.
    async fn settled(served: &Served, call: &Call, status: u16, answer: &Json) -> Result<Account, Refusal> {
        served.answer("/answer", status, answer);
        let line = served.line();
        let reply = line.reader().get("/answer", &[]).await.unwrap();
        settle(call, &reply, line.reader(), TokenKind::Personal).await
    }

    fn text(account: &Account, attribute: &str) -> String {
        account.value(&AttributeName::new(attribute)).to_string()
    }

    #[test]
    fn the_kind_opens_with_its_own_keys_only() {
        assert!((KIND.open)(json!({})).is_ok());
        assert!((KIND.open)(json!({ "synced_attributes": ["email"], "synced_from": "saml" })).is_ok());
        assert!((KIND.open)(json!({ "synced": true })).is_err());
        let schema = (KIND.schema)();
        let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["token_kind", "synced_attributes", "synced_from"]);
        assert_eq!(schema["additionalProperties"], json!(false));
    }

    #[test]
    fn values_are_compared_as_gitlab_stores_them() {
        let gitlab = (KIND.open)(json!({})).unwrap();
        let stored = |name: &str, value: Value| gitlab.normalize(&AttributeName::new(name), &value);
        assert_eq!(stored("email", "Anna@Example.TEST".into()), "anna@example.test".into());
        assert_eq!(stored("gitlab.public_email", "Anna@Example.TEST".into()), "anna@example.test".into());
        assert_eq!(stored("email", " Anna@example.test ".into()), "anna@example.test".into());
        assert_eq!(stored("username", "Anna".into()), "Anna".into());
        assert_eq!(stored("gitlab.note", "A <b>".into()), "A <b>".into());
        assert_eq!(stored("display_name", Value::Empty), Value::Empty);
        for (name, clean) in [
            ("Anna <b>Meyer</b>", "Anna -Meyer-"),
            ("a < b", "a - b"),
            ("a > b", "a - b"),
            ("<<x>>", "--"),
            ("1 > 0 < 2", "1 - 0 - 2"),
            ("Ü<ß>Ö", "Ü-Ö"),
            ("Anna", "Anna"),
        ] {
            assert_eq!(stored("display_name", name.into()), clean.into(), "{name}");
        }
    }

    #[tokio::test]
    async fn the_account_is_what_the_answer_shows_even_where_it_is_not_what_was_asked() {
        let served = Served::start();
        let call = call(Operation::Update, json!({ "email": "new@example.test", "skip_reconfirmation": true }));
        let account = settled(&served, &call, 200, &user(42, "anna", "old@example.test", "active")).await.unwrap();
        assert_eq!(text(&account, "email"), "old@example.test");
        assert_eq!(served.requests().len(), 1);
    }

    #[tokio::test]
    async fn a_new_account_is_told_with_its_id() {
        let served = Served::start();
        let call = call(Operation::Create, json!({}));
        let account = settled(&served, &call, 201, &user(77, "anna", "a@example.test", "active")).await.unwrap();
        assert_eq!(account.id, Some("77".into()));
        let unseen = settled(&served, &call, 201, &json!(null)).await.unwrap_err();
        assert_eq!((unseen.kind, unseen.status), (RefusalKind::Unavailable, Some(201)));
    }

    #[tokio::test]
    async fn a_change_of_state_is_looked_at_whatever_the_answer_says() {
        for answer in [json!(true), json!(false), json!(null)] {
            let served = Served::start();
            served.answer("/api/v4/users/42", 200, &user(42, "anna", "a@example.test", "blocked"));
            let account = settled(&served, &call(Operation::Disable, Json::Null), 201, &answer).await.unwrap();
            assert_eq!(text(&account, "active"), "false");
        }
        let served = Served::start();
        let gone = settled(&served, &call(Operation::Enable, Json::Null), 201, &json!(true)).await.unwrap_err();
        assert_eq!(gone.kind, RefusalKind::NotFound);
        served.answer("/api/v4/users/42", 403, &json!({ "message": "403 Forbidden" }));
        let unseen = settled(&served, &call(Operation::Enable, Json::Null), 201, &json!(true)).await.unwrap_err();
        assert_eq!((unseen.kind, unseen.status), (RefusalKind::Unavailable, Some(201)));
    }

    #[tokio::test]
    async fn of_two_values_the_taken_one_is_found_by_looking() {
        let conflict = json!({ "message": "Email has already been taken" });
        let call = call(Operation::Update, json!({ "username": "anna", "email": "a@example.test" }));
        let name = "/api/v4/users?username=anna";
        let mail = "/api/v4/users?search=a%40example.test&per_page=100";
        let (us, other) = (user(42, "anna", "old@example.test", "active"), user(7, "anna", "a@example.test", "active"));
        for (names, mails, reason) in [
            (json!([other]), json!([]), "the `username` belongs to somebody else at GitLab"),
            (
                json!([us]),
                json!([other]),
                "the `email` belongs to somebody else at GitLab, perhaps as a secondary address; it has to be deleted there first",
            ),
            (json!([other]), json!([other]), "the `username` or the `email` belongs to somebody else at GitLab"),
            (json!([]), json!([]), "the `username` or the `email` belongs to somebody else at GitLab"),
        ] {
            let served = Served::start();
            served.answer(name, 200, &names);
            served.answer(mail, 200, &mails);
            let refusal = settled(&served, &call, 409, &conflict).await.unwrap_err();
            let expected = Refusal { status: Some(409), ..Refusal::new(RefusalKind::Taken, reason) };
            assert_eq!(refusal, expected);
        }
    }

    #[tokio::test]
    async fn not_found_about_an_address_means_taken_where_the_account_is_there() {
        let answer = json!({ "message": "404 User Not Found" });
        let served = Served::start();
        let address = call(Operation::Update, json!({ "email": "a@example.test" }));
        let gone = settled(&served, &address, 404, &answer).await.unwrap_err();
        assert_eq!((gone.kind, gone.status), (RefusalKind::NotFound, Some(404)));

        served.answer("/api/v4/users/42", 200, &user(42, "anna", "old@example.test", "active"));
        let taken = settled(&served, &address, 404, &answer).await.unwrap_err();
        assert_eq!((taken.kind, taken.status), (RefusalKind::Taken, Some(404)));
        let note = settled(&served, &call(Operation::Update, json!({ "note": "x" })), 404, &answer).await.unwrap_err();
        assert_eq!(note.kind, RefusalKind::NotFound);
        let create =
            settled(&served, &call(Operation::Create, json!({ "email": "a" })), 404, &answer).await.unwrap_err();
        assert_eq!(create.kind, RefusalKind::Unsupported);
    }

    #[tokio::test]
    async fn a_forbidden_switch_is_explained_by_the_state() {
        let served = Served::start();
        let answer = json!({ "message": "403 Forbidden - LDAP blocked users cannot be unblocked by the API" });
        served.answer("/api/v4/users/42", 200, &user(42, "anna", "a@example.test", "ldap_blocked"));
        let enable = call(Operation::Enable, Json::Null);
        let refusal = settled(&served, &enable, 403, &answer).await.unwrap_err();
        let reason = "the LDAP directory blocks this account and only the directory can let it in again";
        assert_eq!(refusal, Refusal { status: Some(403), ..Refusal::new(RefusalKind::Forbidden, reason) });

        served.answer("/api/v4/users/42", 200, &user(42, "anna", "a@example.test", "active"));
        let disable = settled(&served, &call(Operation::Disable, Json::Null), 403, &answer).await.unwrap_err();
        assert!(disable.reason.contains("may be an account of GitLab's own"), "{disable}");

        let scope = json!({ "error": "insufficient_scope", "scope": "api" });
        let refusal = settled(&served, &enable, 403, &scope).await.unwrap_err();
        assert_eq!(refusal.reason, "the token's scope is too small: it needs the scope `api`");
    }
}
