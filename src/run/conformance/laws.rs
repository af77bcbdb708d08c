//! What every connector keeps: an account is created, found again, changed, switched off and on, each of it twice, and
//! looking changes nothing.

use super::*;
use crate::connector::{gitlab, mattermost, scim, zitadel};

/// One provider with everything that the laws need to know of it.
struct Subject {
    kind: &'static Kind,
    settings: Json,
    options: Json,
}

fn subjects() -> Vec<Subject> {
    let plain = |kind, settings, options| Subject { kind, settings, options };
    let subject = |kind, version: &str, options| plain(kind, json!({ "version": version }), options);
    vec![
        subject(&mattermost::KIND, "9.11.0", json!({})),
        subject(&mattermost::KIND, "11.3.0", json!({})),
        subject(&gitlab::KIND, "16.11.0", json!({})),
        subject(&gitlab::KIND, "18.5.0", json!({})),
        subject(&zitadel::KIND, "2.71.0", json!({ "organization": "org1" })),
        subject(&zitadel::KIND, "3.2.1", json!({ "organization": "org1" })),
        subject(&zitadel::KIND, "4.13.0", json!({ "organization": "org1" })),
        plain(&scim::KIND, json!({}), json!({})),
        plain(&scim::KIND, json!({ "patch": false, "etag": false, "discovery": false }), json!({ "update": "put" })),
    ]
}

async fn bed(subject: &Subject) -> Bed {
    Bed::made(Bedding {
        kind: subject.kind,
        options: subject.options.clone(),
        token_kind: "personal",
        seed: json!({ "settings": subject.settings }),
        leader: None,
    })
    .await
}

/// A first and a second value of each attribute that can be written.
fn values(bed: &Bed) -> Vec<(AttributeName, Value, Value)> {
    let table = bed.connector.capabilities();
    // Sets need things to be a member of: they have a matrix of their own.
    let rows = table.attributes.iter().filter(|row| row.write.is_yes_at_creation() && row.set.is_none());
    rows.map(|row| {
        let (first, second): (Value, Value) = match row.name {
            "email" => ("anna@example.com".into(), "anna.b@example.com".into()),
            "locale" | "preferred_language" => ("de".into(), "fr".into()),
            "phone" => ("+41791234567".into(), "+41311234567".into()),
            "timezone" => ("Europe/Zurich".into(), "Europe/Berlin".into()),
            "profile_url" => ("https://example.com/anna".into(), "https://example.com/anna.b".into()),
            "active" => (true.into(), false.into()),
            "username" => ("anna".into(), "anna.b".into()),
            // Only addresses that the account has already: the first one, and after the change both.
            "public_email" | "commit_email" => (Value::Empty, "anna@example.com".into()),
            name => (format!("first {name}").as_str().into(), format!("second {name}").as_str().into()),
        };
        (table.name(&bed.system, row), first, second)
    })
    .collect()
}

/// Carries out a change and looks; the answer and the look must show it.
async fn carried(bed: &Bed, id: &AccountId, attribute: &AttributeName, value: &Value) {
    let account = bed.account(id.as_str()).await;
    let change = bed.change(&account, attribute.as_str(), value);
    let foresight = bed.foresee(&account, &change);
    assert_eq!(foresight, Foresight::takes(), "{} {attribute}", bed.system);
    let told = bed.carry_out(&account, std::slice::from_ref(&change)).await;
    let told = told.unwrap_or_else(|no| panic!("{} {attribute}: {no}", bed.system));
    let seen = bed.account(id.as_str()).await;
    assert!(bed.holds(&told, &change) && bed.holds(&seen, &change), "{} {attribute}: {seen:?}", bed.system);
    assert_eq!(told.attributes, seen.attributes, "{} {attribute}", bed.system);
    assert_eq!(told.id, seen.id);
    // What is so already is no change to a plan: before and after are the same to the provider.
    let again = bed.change(&seen, attribute.as_str(), value);
    let normal = |value: &Value| bed.connector.normalize(attribute, value);
    assert_eq!(normal(&again.before), normal(&again.after), "{} {attribute}", bed.system);
    assert_eq!(normal(&normal(value)), normal(value), "{} {attribute}", bed.system);
}

/// Sends the very call that worked a moment ago: a call that may be repeated does no harm the second time.
async fn repeated(bed: &Bed, before: &Account, attribute: &AttributeName, value: &Value) {
    let change = bed.change(before, attribute.as_str(), value);
    let told = bed.carry_out(before, std::slice::from_ref(&change)).await;
    let told = told.unwrap_or_else(|no| panic!("{} {attribute}, repeated: {no}", bed.system));
    assert!(bed.holds(&told, &change), "{} {attribute}, repeated", bed.system);
}

#[tokio::test]
async fn an_account_is_created_found_again_changed_and_switched_and_each_twice() {
    for subject in subjects() {
        let bed = bed(&subject).await;
        let nobody = bed.nobody().await;
        let all = values(&bed);
        let first: Vec<Change> = all
            .iter()
            .filter(|(_, first, _)| !first.is_empty())
            .map(|(name, first, _)| bed.change(&nobody, name.as_str(), first))
            .collect();
        for change in &first {
            assert_eq!(bed.foresee(&nobody, change), Foresight::takes(), "{} {}", bed.system, change.attribute);
        }
        let born = bed.carry_out(&nobody, &first).await.unwrap_or_else(|no| panic!("{}: {no}", bed.system));
        let id = born.id.clone().unwrap();
        for change in &first {
            assert!(bed.holds(&born, change), "{} {}: {born:?}", bed.system, change.attribute);
        }

        // Found by its id, and by each attribute that it can be looked up by, whatever the letters.
        let seen = bed.account(id.as_str()).await;
        assert_eq!(seen.attributes, born.attributes, "{}", bed.system);
        for lookup in bed.connector.capabilities().lookups {
            let row = bed.connector.capabilities().attributes.iter().find(|row| row.name == *lookup).unwrap();
            let lookup = bed.connector.capabilities().name(&bed.system, row);
            let held = seen.value(&lookup).as_text().unwrap().to_owned();
            // What somebody else's system calls her is that, letter by letter.
            let others = if row.name == "external_id" { held.clone() } else { held.to_uppercase() };
            for text in [held.clone(), others] {
                let wanted = Wanted {
                    holding: BTreeMap::from([(lookup.clone(), BTreeSet::from([text]).into())]),
                    ..Wanted::default()
                };
                let found = bed.observe(&wanted).await.unwrap().accounts;
                assert!(found.iter().any(|account| account.id() == Some(id.as_str())), "{} {lookup}", bed.system);
            }
        }

        // A second one of the same name is somebody else's clash, and no second account.
        let clash = bed.carry_out(&nobody, &first).await.unwrap_err();
        assert_eq!(clash.kind, RefusalKind::Taken, "{}: {clash}", bed.system);

        for (attribute, _, second) in &all {
            let before = bed.account(id.as_str()).await;
            carried(&bed, &id, attribute, second).await;
            repeated(&bed, &before, attribute, second).await;
        }
        let before = bed.account(id.as_str()).await;
        carried(&bed, &id, &"active".into(), &true.into()).await;
        repeated(&bed, &before, &"active".into(), &true.into()).await;

        // And back to nothing, where there can be nothing.
        let table = bed.connector.capabilities();
        let own = table.attributes.iter().filter(|row| row.set.is_none());
        for row in own.filter(|row| row.clear.is_yes() && row.write.is_yes()) {
            let attribute = bed.connector.capabilities().name(&bed.system, row);
            let before = bed.account(id.as_str()).await;
            let emptied = bed.change(&before, attribute.as_str(), &Value::Empty);
            if bed.foresee(&before, &emptied) == Foresight::takes() {
                carried(&bed, &id, &attribute, &Value::Empty).await;
                repeated(&bed, &before, &attribute, &Value::Empty).await;
            }
        }
    }
}

#[tokio::test]
async fn all_changes_of_an_account_together_end_as_each_alone() {
    for subject in subjects() {
        let bed = bed(&subject).await;
        let nobody = bed.nobody().await;
        let all = values(&bed);
        let first = all.iter().filter(|(_, first, _)| !first.is_empty());
        let first: Vec<Change> = first.map(|(name, first, _)| bed.change(&nobody, name.as_str(), first)).collect();
        let born = bed.carry_out(&nobody, &first).await.unwrap();
        let account = bed.account(born.id.clone().unwrap().as_str()).await;
        let second: Vec<Change> =
            all.iter().map(|(name, _, second)| bed.change(&account, name.as_str(), second)).collect();
        bed.carry_out(&account, &second).await.unwrap_or_else(|no| panic!("{}: {no}", bed.system));
        let seen = bed.account(born.id.unwrap().as_str()).await;
        for change in &second {
            assert!(bed.holds(&seen, change), "{} {}: {seen:?}", bed.system, change.attribute);
        }
    }
}

#[tokio::test]
async fn looking_changes_nothing() {
    for subject in subjects() {
        let bed = bed(&subject).await;
        let nobody = bed.nobody().await;
        let first: Vec<Change> = values(&bed)
            .iter()
            .filter(|(_, first, _)| !first.is_empty())
            .map(|(name, first, _)| bed.change(&nobody, name.as_str(), first))
            .collect();
        let id = bed.carry_out(&nobody, &first).await.unwrap().id.unwrap();
        let before = bed.dump().await;
        bed.connector.standing(&bed.line.reader()).await.unwrap();
        let texts = |attribute: &str, texts: &[&str]| {
            (AttributeName::new(attribute), texts.iter().map(|text| (*text).to_owned()).collect::<Texts>())
        };
        for wanted in [
            Wanted::default(),
            Wanted { ids: BTreeSet::from([id.clone(), "424242".into()]), ..Wanted::default() },
            Wanted {
                holding: BTreeMap::from([
                    texts("username", &["anna", "NOBODY", "no body"]),
                    texts("email", &["anna@example.com", "nobody@example.com", "nobody"]),
                ]),
                ..Wanted::default()
            },
            Wanted {
                ids: (0..60).map(|number| AccountId::from(number.to_string())).collect(),
                holding: BTreeMap::from([texts("first_name", &["anna"])]),
                ..Wanted::default()
            },
        ] {
            bed.observe(&wanted).await.unwrap();
        }
        assert_eq!(bed.dump().await, before, "{}", bed.system);
        let asked = bed.lab(bed.system.as_str(), "GET", "requests", &Json::Null).await.unwrap();
        assert!(asked.as_array().unwrap().len() > 4);
    }
}
