//! The refusals that only a server can know, each met through `perform`: what kind of no the connector makes of them.

use super::*;
use crate::connector::{gitlab, mattermost, zitadel};

async fn bed(kind: &Kind, seed: Json) -> Bed {
    Bed::made(Bedding { kind, options: json!({}), token_kind: "personal", seed, leader: None }).await
}

/// Carries out one change of one account and gives the no.
async fn no(bed: &Bed, id: &str, attribute: &str, value: impl Into<Value>) -> Refusal {
    let account = bed.account(id).await;
    let change = bed.change(&account, attribute, &value.into());
    assert_eq!(bed.foresee(&account, &change), Foresight::takes(), "this is no refusal that only the server knows");
    bed.carry_out(&account, &[change]).await.unwrap_err()
}

/// The no to a new account with these attributes.
async fn no_birth(bed: &Bed, attributes: &[(&str, &str)]) -> Refusal {
    let nobody = bed.nobody().await;
    let changes: Vec<Change> =
        attributes.iter().map(|(name, value)| bed.change(&nobody, name, &(*value).into())).collect();
    bed.carry_out(&nobody, &changes).await.unwrap_err()
}

/// Kind, status and the provider's own word.
fn told(refusal: &Refusal) -> (RefusalKind, Option<u16>, Option<&str>) {
    (refusal.kind, refusal.status, refusal.code.as_deref())
}

/// What is made of a call when our token is no longer one.
async fn without_token(bed: &Bed, kind: &Kind, id: &str) -> (Refusal, ConnectorError) {
    let account = bed.account(id).await;
    let change = bed.change(&account, "username", &"unseen".into());
    let revoked = line(kind, &bed.lab, "revoked-and-forgotten-0000");
    let request = bed.connector.calls(&account, &[change]).unwrap().remove(0);
    let call = Call {
        id: "c1".into(),
        system: bed.system.clone(),
        person: PersonId { system: "hr".into(), key: "1".into() },
        account: account.id.clone(),
        operation: request.operation,
        performs: None,
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body,
        generated: request.generated,
        expects: BTreeMap::new(),
        intends: BTreeMap::new(),
        replay: request.replay,
        after: Vec::new(),
    };
    let mut writer = revoked.writer(&bed.store, bed.run, &call);
    let refusal = bed.connector.perform(&call, &mut writer).await.unwrap_err();
    // What the server is like is asked once; whoever begins now has not asked yet.
    let fresh = (kind.open)(json!({})).unwrap();
    let error = fresh.observe(&Wanted::default(), &revoked.reader()).await.unwrap_err();
    (refusal, error)
}

fn is_forbidden(error: &ConnectorError) -> bool {
    matches!(error, ConnectorError::Refused { refusal, .. } if refusal.kind == RefusalKind::Forbidden)
}

const ANNA: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
const GINA: &str = "gggggggggggggggggggggggggg";

#[tokio::test]
async fn mattermosts_no_is_understood() {
    use RefusalKind::{Forbidden, NotFound, OwnedElsewhere, Taken, Unsupported};
    let seed = json!({
        "groups": ["crew"],
        "users": [
            { "id": ANNA, "username": "anna" },
            { "id": GINA, "username": "gina", "auth_service": "gitlab", "auth_data": "42" },
            { "username": "asleep", "delete_at": 1 },
        ],
    });
    let bed = bed(&mattermost::KIND, seed).await;
    let name = (Taken, Some(400), Some("app.user.save.username_exists.app_error"));
    let address = (Taken, Some(400), Some("app.user.save.email_exists.app_error"));
    assert_eq!(told(&no(&bed, ANNA, "username", "crew").await), name);
    assert_eq!(told(&no(&bed, ANNA, "username", "asleep").await), name);
    assert_eq!(told(&no(&bed, ANNA, "email", "asleep@example.com").await), address);
    assert_eq!(told(&no_birth(&bed, &[("username", "crew"), ("email", "n@example.com")]).await), name);
    assert_eq!(told(&no_birth(&bed, &[("username", "n"), ("email", "asleep@example.com")]).await), address);

    // The account became GitLab's between plan and call: the no says whose it is.
    let account = bed.account(ANNA).await;
    let rename = bed.change(&account, "username", &"anne".into());
    bed.meddle("anna", &json!({ "auth_service": "gitlab", "auth_data": "43" })).await;
    let owned = bed.carry_out(&account, &[rename]).await.unwrap_err();
    let id = "api.user.patch_user.login_provider_attribute_set.app_error";
    assert_eq!(told(&owned), (OwnedElsewhere, Some(409), Some(id)));
    assert_eq!(owned.belongs_to.as_deref(), Some("gitlab"));
    // And the directory's.
    bed.meddle("anna", &json!({ "auth_service": "ldap", "auth_data": "uid=anna" })).await;
    let switch = bed.change(&account, "active", &false.into());
    let owned = bed.carry_out(&account, &[switch]).await.unwrap_err();
    assert_eq!((owned.kind, owned.status, owned.belongs_to.as_deref()), (Forbidden, Some(403), Some("ldap")));

    // The server is full.
    bed.settings(&json!({ "user_limit": 1 })).await;
    let asleep = bed.observe(&holding("username", "asleep")).await.unwrap().accounts.get(0).unwrap().account();
    let asleep = asleep.id.unwrap();
    let full = (Unsupported, Some(400), Some("app.user.update_active.user_limit.exceeded"));
    assert_eq!(told(&no(&bed, asleep.as_str(), "active", true).await), full);
    let full = (Unsupported, Some(400), Some("api.user.create_user.user_limits.exceeded"));
    assert_eq!(told(&no_birth(&bed, &[("username", "n"), ("email", "n@example.com")]).await), full);

    // Nobody there any more.
    let mut gone = bed.account(GINA).await;
    gone.id = Some("zzzzzzzzzzzzzzzzzzzzzzzzzz".into());
    gone.facts.clear();
    for (attribute, value) in [("username", Value::text("n")), ("active", false.into())] {
        let change = bed.change(&gone, attribute, &value);
        let refusal = bed.carry_out(&gone, &[change]).await.unwrap_err();
        assert_eq!(refusal.kind, NotFound, "{attribute}: {refusal:?}");
    }

    let (refusal, error) = without_token(&bed, &mattermost::KIND, GINA).await;
    assert_eq!(told(&refusal), (Forbidden, Some(401), Some("api.context.session_expired.app_error")));
    assert!(is_forbidden(&error), "{error:?}");
}

fn holding(attribute: &str, text: &str) -> Wanted {
    let texts = BTreeSet::from([text.to_owned()]);
    Wanted { holding: BTreeMap::from([(attribute.into(), texts.into())]), ..Wanted::default() }
}

/// What the limiter tells with its answers is waited for, so that nothing is turned away.
#[tokio::test]
async fn a_write_waits_for_what_mattermosts_limiter_tells() {
    let bed = bed(&mattermost::KIND, json!({ "users": [{ "id": ANNA, "username": "anna" }] })).await;
    let account = bed.account(ANNA).await;
    bed.settings(&json!({ "rate_limit": { "per_sec": 1, "max_burst": 0 } })).await;
    for name in ["anne", "anna.b"] {
        let change = bed.change(&account, "username", &name.into());
        assert!(bed.holds(&bed.carry_out(&account, std::slice::from_ref(&change)).await.unwrap(), &change));
    }
    let asked = bed.lab("mattermost", "GET", "requests", &Json::Null).await.unwrap();
    let statuses: Vec<u64> =
        asked.as_array().unwrap().iter().rev().take(3).map(|asked| asked["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 200]);
}

#[tokio::test]
async fn gitlabs_no_is_understood() {
    use RefusalKind::{Forbidden, Invalid, NotFound, RateLimited, Taken};
    let seed = json!({
        "settings": { "domain_denylist": ["elsewhere.example"], "pages_domains": ["site"] },
        "groups": [{ "path": "crew" }],
        "users": [
            { "id": 7, "username": "anna", "name": "Anna" },
            { "id": 8, "username": "berta", "emails": [{ "email": "second@example.com" }] },
            { "id": 9, "username": "images", "container_registry_tags": true },
        ],
    });
    let bed = bed(&gitlab::KIND, seed).await;
    assert_eq!(told(&no(&bed, "7", "username", "Berta").await), (Taken, Some(409), None));
    assert_eq!(told(&no(&bed, "7", "email", "second@example.com").await), (Taken, Some(409), None));
    let group = no(&bed, "7", "username", "crew").await;
    assert_eq!(told(&group), (Taken, Some(400), None));
    assert!(group.reason.contains("group"), "{group}");
    for (id, attribute, value) in [
        ("9", "username", "renamed"),
        ("7", "username", "site"),
        ("7", "email", "anna@elsewhere.example"),
        ("7", "gitlab.public_email", "stranger@example.com"),
        ("7", "gitlab.commit_email", "stranger@example.com"),
    ] {
        let refusal = no(&bed, id, attribute, value).await;
        assert_eq!(told(&refusal), (Invalid, Some(400), None), "{attribute} {value}");
        let local = attribute.rsplit('.').next().unwrap();
        assert!(refusal.reason.contains(local), "{refusal}");
    }
    let whole = |username, email| [("username", username), ("email", email), ("display_name", "N")];
    assert_eq!(told(&no_birth(&bed, &whole("crew", "n@example.com")).await), (Taken, Some(400), None));
    assert_eq!(told(&no_birth(&bed, &whole("berta", "n@example.com")).await), (Taken, Some(409), None));
    assert_eq!(told(&no_birth(&bed, &whole("n", "Second@example.com")).await), (Taken, Some(409), None));
    assert_eq!(told(&no_birth(&bed, &whole("n", "n@elsewhere.example")).await), (Invalid, Some(400), None));

    // A name that redirects to somebody who had it.
    bed.settings(&json!({ "redirects_block": true })).await;
    bed.meddle("berta", &json!({ "username": "bertha" })).await;
    assert_eq!(told(&no(&bed, "7", "username", "berta").await), (Taken, Some(400), None));

    // The directory blocked the account between plan and call.
    let anna = bed.account("7").await;
    bed.meddle("anna", &json!({ "state": "ldap_blocked" })).await;
    let off = bed.change(&anna, "active", &false.into());
    assert_eq!(told(&bed.carry_out(&anna, &[off]).await.unwrap_err()), (Forbidden, Some(403), None));

    for (attribute, value) in [("username", Value::text("n")), ("active", false.into())] {
        let gone = Account { id: Some("4242".into()), ..anna.clone() };
        let change = bed.change(&gone, attribute, &value);
        assert_eq!(
            told(&bed.carry_out(&gone, &[change]).await.unwrap_err()),
            (NotFound, Some(404), None),
            "{attribute}"
        );
    }

    let (refusal, error) = without_token(&bed, &gitlab::KIND, "8").await;
    assert_eq!((refusal.kind, refusal.status), (Forbidden, Some(401)));
    assert!(is_forbidden(&error), "{error:?}");

    // The throttle asks for a longer pause than anybody waits.
    let account = bed.account("8").await;
    bed.settings(&json!({ "rate_limit": { "requests": 0, "period_seconds": 1_000_000_000 } })).await;
    let change = bed.change(&account, "gitlab.note", &"later".into());
    let refusal = bed.carry_out(&account, &[change]).await.unwrap_err();
    assert_eq!(told(&refusal), (RateLimited, Some(429), None));
    assert!(refusal.retry_after.is_some());
}

#[tokio::test]
async fn zitadels_no_is_understood() {
    use RefusalKind::{Forbidden, Invalid, NotFound, Taken, Unsupported};
    for version in ["4.13.0", "3.2.1", "2.71.0"] {
        let person = |id: &str, name: &str| json!({ "id": id, "username": name, "first_name": "P", "last_name": "L", "email": format!("{name}@example.com") });
        let seed = json!({
            "settings": { "version": version, "verified_domains": { "org2": ["elsewhere.example"] } },
            "organizations": [{ "id": "org1", "name": "Acme" }, { "id": "org2", "name": "Other" }],
            "users": [person("u1", "anna"), person("u2", "berta"), { "id": "m1", "username": "robot", "machine": true }],
        });
        let options = json!({ "organization": "org1" });
        let bed =
            Bed::made(Bedding { kind: &zitadel::KIND, options, token_kind: "personal", seed, leader: None }).await;
        let taken = (Taken, Some(409), Some("V3-DKcYh"));
        assert_eq!(told(&no(&bed, "u1", "username", "Berta").await), taken, "{version}");
        assert_eq!(told(&no(&bed, "u1", "username", "robot").await), taken, "{version}");
        let reserved = (Invalid, Some(400), Some("COMMAND-SFd21"));
        assert_eq!(told(&no(&bed, "u1", "username", "anna@Elsewhere.example").await), reserved, "{version}");
        let whole =
            |username, email| [("username", username), ("email", email), ("first_name", "N"), ("last_name", "N")];
        assert_eq!(told(&no_birth(&bed, &whole("BERTA", "n@example.com")).await), taken, "{version}");
        let refusal = no_birth(&bed, &whole("n@elsewhere.example", "n@example.com")).await;
        assert_eq!(told(&refusal), reserved, "{version}");

        // The account was set back to its beginning between plan and call.
        let anna = bed.account("u1").await;
        bed.meddle("u1", &json!({ "state": "initial" })).await;
        let off = bed.change(&anna, "active", &false.into());
        let refusal = bed.carry_out(&anna, std::slice::from_ref(&off)).await.unwrap_err();
        assert_eq!(refusal.kind, Unsupported, "{version}: {refusal:?}");
        // It was switched off by somebody else: what we want is so, and that is no refusal.
        bed.meddle("u1", &json!({ "state": "inactive" })).await;
        assert!(bed.holds(&bed.carry_out(&anna, std::slice::from_ref(&off)).await.unwrap(), &off), "{version}");
        // It was locked by somebody else: it is not switched off any more, and nobody unlocks it.
        let inactive = bed.account("u1").await;
        bed.meddle("u1", &json!({ "state": "locked" })).await;
        let on = bed.change(&inactive, "active", &true.into());
        assert!(bed.holds(&bed.carry_out(&inactive, std::slice::from_ref(&on)).await.unwrap(), &on), "{version}");
        assert_eq!(bed.account("u1").await.fact("state"), Some("locked"), "{version}");
        // Whoever leaves is switched off behind a lock too.
        let locked = bed.account("u1").await;
        let off = bed.change(&locked, "active", &false.into());
        assert!(bed.holds(&bed.carry_out(&locked, std::slice::from_ref(&off)).await.unwrap(), &off), "{version}");

        for (attribute, value) in [("username", Value::text("n")), ("nickname", "n".into()), ("active", false.into())] {
            let gone = Account { id: Some("u9".into()), ..anna.clone() };
            let change = bed.change(&gone, attribute, &value);
            let refusal = bed.carry_out(&gone, &[change]).await.unwrap_err();
            assert_eq!(refusal.kind, NotFound, "{version} {attribute}: {refusal:?}");
        }

        let (refusal, error) = without_token(&bed, &zitadel::KIND, "u2").await;
        assert_eq!(told(&refusal), (Forbidden, Some(401), Some("AUTH-7fs1e")), "{version}");
        assert!(is_forbidden(&error), "{version}: {error:?}");
    }
}

/// A role that may only look: 403, and 404 where there is no role at all, which is no missing account.
#[tokio::test]
async fn a_missing_right_at_zitadel_is_no_missing_account() {
    for (roles, id) in [(json!(["ORG_OWNER_VIEWER"]), "AUTH-AWfge"), (json!(["ORG_OWNER@org2"]), "AUTHZ-cdgFk")] {
        let seed = json!({
            "organizations": [{ "id": "org1", "name": "Acme" }, { "id": "org2", "name": "Other" }],
            "users": [
                { "id": "u1", "username": "anna", "first_name": "P", "last_name": "L", "email": "a@example.com" },
                { "id": "m1", "username": "weak", "machine": true },
            ],
            "tokens": [{ "user": "weak", "roles": roles, "token": "weak-token" }],
        });
        let bed = bed(&zitadel::KIND, seed).await;
        let account = bed.account("u1").await;
        let weak = line(&zitadel::KIND, &bed.lab, "weak-token");
        let weak = Bed { line: weak, ..bed };
        let change = weak.change(&account, "nickname", &"n".into());
        let refusal = weak.carry_out(&account, &[change]).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.code.as_deref()), (RefusalKind::Forbidden, Some(id)));
    }
}

/// An exhausted quota names no pause, so the pauses are ours; when they are used up it is a refusal like any other.
#[tokio::test]
async fn an_exhausted_quota_at_zitadel_is_a_limit() {
    let person =
        json!({ "id": "u1", "username": "anna", "first_name": "P", "last_name": "L", "email": "a@example.com" });
    let bed = bed(&zitadel::KIND, json!({ "users": [person] })).await;
    let account = bed.account("u1").await;
    bed.settings(&json!({ "quota": 0 })).await;
    let change = bed.change(&account, "nickname", &"n".into());
    let refusal = bed.carry_out(&account, &[change]).await.unwrap_err();
    assert_eq!(told(&refusal), (RefusalKind::RateLimited, Some(429), Some("QUOTA-vjAy8")));
}
