//! The gate against recordings of real deliveries, against forgeries of them, and against noise.

use std::{collections::BTreeMap, fs, path::Path};

use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::source::wordpress::stand_in::{recording, text};

const SECRET: &str = "whsec_aG9tZXdhcmQtdGVzdC1zZWNyZXQtbm90LXJlYWwtMTI=";
const WC: &str = "x-wc-webhook-signature";

/// One delivery as it arrives.
#[derive(Clone, Debug)]
struct Delivery {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Delivery {
    fn recorded(name: &str) -> (Self, Secret) {
        let recording = recording(name);
        let pairs = recording["request"]["headers"].as_array().unwrap().iter();
        let headers = pairs.map(|pair| (text(&pair[0]).to_lowercase(), text(&pair[1])));
        let body = text(&recording["body_raw"]).into_bytes();
        (Self { headers: headers.collect(), body }, Secret::new(&text(&recording["secret_for_tests"])))
    }

    /// A delivery that signs its body alone.
    fn of_body(header: &str, secret: &str, body: &str, write: fn(&[u8]) -> String) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let headers = [(header.to_owned(), write(&mac.finalize().into_bytes()))].into();
        Self { headers, body: body.as_bytes().to_vec() }
    }

    fn with(mut self, header: &str, value: &str) -> Self {
        self.headers.insert(header.to_owned(), value.to_owned());
        self
    }

    fn without(mut self, header: &str) -> Self {
        self.headers.remove(header);
        self
    }

    fn at(&self, gate: &Gate, now: Timestamp) -> Result<Event, Turned> {
        let find = |name: &str| self.headers.get(&name.to_lowercase()).map(String::as_str);
        gate.admit(&find, &self.body, now)
    }

    /// When it was signed.
    fn signed_at(&self) -> Timestamp {
        let time = self.headers.get("webhook-timestamp").map_or("1795211199", String::as_str);
        Timestamp::from_second(time.parse().unwrap()).unwrap()
    }
}

fn standard(secret: &Secret) -> Gate {
    Gate::new(Signing::Standard, std::slice::from_ref(secret)).unwrap()
}

fn of_body(header: &str, encoding: Encoding, secret: &str) -> Gate {
    Gate::new(Signing::Body { header: header.to_owned(), encoding }, &[Secret::new(secret)]).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_795_211_200).unwrap()
}

/// The recorded deliveries whose names begin so.
fn names(begin: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/wordpress");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        files.filter(|name| name.starts_with(begin)).map(|name| name.trim_end_matches(".json").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_delivery_of_our_plugin_is_admitted_with_its_id_its_user_and_its_time() {
    let names = names("webhook-");
    assert_eq!(names.len(), 13);
    for name in names {
        let (delivery, secret) = Delivery::recorded(&name);
        let body: Json = serde_json::from_slice(&delivery.body).unwrap();
        let expected = Event {
            id: text(&body["id"]),
            user: Some(body["user_id"].to_string()),
            kind: match body["type"].as_str().unwrap() {
                "user.created" => EventKind::Created,
                "user.updated" => EventKind::Updated,
                "user.deleted" => EventKind::Deleted,
                other => panic!("{other}"),
            },
            occurred_at: Some(text(&body["occurred_at"]).parse().unwrap()),
        };
        assert_eq!(delivery.at(&standard(&secret), delivery.signed_at()), Ok(expected), "{name}");
    }
}

#[test]
fn every_delivery_of_wp_webhooks_is_admitted_by_the_digest_of_its_body() {
    let expected = [
        ("create_user", EventKind::Created),
        ("deleted_user", EventKind::Deleted),
        ("update_user", EventKind::Updated),
    ];
    let names = names("wp-webhooks-plugin-");
    assert_eq!(names.len(), 3);
    for (name, (_, kind)) in names.iter().zip(expected) {
        let (delivery, secret) = Delivery::recorded(name);
        let gate = of_body("X-WP-Webhook-Signature", Encoding::Base64, secret.expose());
        let id = hex(&Sha256::digest(&delivery.body));
        let event = Event { id, user: Some("256".to_owned()), kind, occurred_at: None };
        assert_eq!(delivery.at(&gate, now()), Ok(event.clone()), "{name}");
        let told = format!("{event:?}");
        assert!(["hneu", "xxxx", "example"].iter().all(|value| !told.contains(value)), "{told}");
    }
}

#[test]
fn a_delivery_that_is_sent_again_has_the_same_id() {
    let (again, secret) = Delivery::recorded("webhook-redelivered");
    let (first, _) = Delivery::recorded("webhook-refused-500");
    let gate = standard(&secret);
    let ids = [first, again].map(|delivery| delivery.at(&gate, delivery.signed_at()).unwrap().id);
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let flipped = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let each = (0..bytes.len() * 8).map(|bit| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        each.collect()
    };
    let (delivery, secret) = Delivery::recorded("webhook-email-changed");
    let by_body = |encoding, write: fn(&[u8]) -> String| {
        (Delivery::of_body(WC, "a secret", "{\"ID\":7}", write), of_body(WC, encoding, "a secret"))
    };
    let cases = [
        (delivery, standard(&secret), vec!["webhook-id", "webhook-timestamp", "webhook-signature"]),
        {
            let (delivery, gate) = by_body(Encoding::Base64, |bytes| STANDARD.encode(bytes));
            (delivery, gate, vec![WC])
        },
        {
            let (delivery, gate) = by_body(Encoding::Hex, |bytes| format!("sha256={}", hex(bytes)));
            (delivery, gate, vec![WC])
        },
        {
            let (delivery, gate) = by_body(Encoding::Hex, hex);
            (delivery, gate, vec![WC])
        },
    ];
    for (delivery, gate, headers) in cases {
        let now = delivery.signed_at();
        assert!(delivery.at(&gate, now).is_ok());
        for header in headers {
            for bytes in flipped(delivery.headers[header].as_bytes()) {
                // What is no text never gets here: a header with such bytes is as good as missing.
                let Ok(value) = String::from_utf8(bytes) else { continue };
                let turned = delivery.clone().with(header, &value).at(&gate, now).unwrap_err();
                assert!(matches!(turned.status(), 400 | 401), "{header}: {value}: {turned}");
            }
            assert!(delivery.clone().without(header).at(&gate, now).is_err());
            assert!(delivery.clone().with(header, "").at(&gate, now).is_err());
        }
        for body in flipped(&delivery.body) {
            let forged = Delivery { body, ..delivery.clone() };
            assert_eq!(forged.at(&gate, now), Err(Turned::WrongSignature));
        }
        for body in [&delivery.body[1..], &delivery.body[..delivery.body.len() - 1], b""] {
            let forged = Delivery { body: body.to_vec(), ..delivery.clone() };
            assert_eq!(forged.at(&gate, now), Err(Turned::WrongSignature));
        }
    }
}

#[test]
fn a_clock_may_be_five_minutes_off_in_both_directions_and_not_a_second_more() {
    let (delivery, secret) = Delivery::recorded("webhook-user-created");
    let gate = standard(&secret);
    let at = |seconds: i64| {
        let now = Timestamp::from_second(delivery.signed_at().as_second() + seconds).unwrap();
        delivery.at(&gate, now).map(|event| event.user)
    };
    for seconds in [-300, -1, 0, 1, 300] {
        assert_eq!(at(seconds), Ok(Some("258".to_owned())), "{seconds}");
    }
    for seconds in [-86_400, -301, 301, 86_400, 1_000_000_000] {
        assert_eq!(at(seconds), Err(Turned::Stale), "{seconds}");
    }
    assert_eq!(Turned::Stale.status(), 401);
    // Whoever cannot sign is not told about clocks.
    assert_eq!(delivery.clone().with("webhook-timestamp", "1").at(&gate, now()), Err(Turned::WrongSignature));
}

#[test]
fn while_a_secret_is_exchanged_both_open_and_no_other() {
    let (delivery, old) = Delivery::recorded("webhook-user-created");
    let new = Secret::new("whsec_YW5vdGhlci10ZXN0LXNlY3JldC1ub3QtcmVhbC0xMg");
    let now = delivery.signed_at();
    for secrets in [[old.clone(), new.clone()], [new.clone(), old.clone()]] {
        assert!(delivery.at(&Gate::new(Signing::Standard, &secrets).unwrap(), now).is_ok());
    }
    assert_eq!(delivery.at(&standard(&new), now), Err(Turned::WrongSignature));
    // A sender in the midst of it signs twice, and some sign in other ways too.
    let own = delivery.headers["webhook-signature"].clone();
    let signed = |header: &str| delivery.clone().with("webhook-signature", header).at(&standard(&old), now);
    assert!(signed(&format!("v1,{} v1a,abc {own}", STANDARD.encode([7; 32]))).is_ok());
    assert_eq!(signed(&format!("{} {own}", "v1,x ".repeat(8).trim())), Err(Turned::MalformedSignature));
    assert_eq!(signed(own.trim_start_matches("v1,")), Err(Turned::WrongSignature));
    assert_eq!(signed(&own.replace("v1,", "v2,")), Err(Turned::WrongSignature));
}

#[test]
fn what_is_missing_or_misshapen_is_told() {
    let (delivery, secret) = Delivery::recorded("webhook-user-created");
    let gate = standard(&secret);
    let now = delivery.signed_at();
    let told = |delivery: Delivery| {
        let turned = delivery.at(&gate, now).unwrap_err();
        (turned.status(), turned.to_string())
    };
    let cases = [
        (delivery.clone().without("webhook-signature"), 401, "it is not signed"),
        (delivery.clone().without("webhook-id"), 400, "the header `webhook-id` is missing"),
        (delivery.clone().without("webhook-timestamp"), 400, "the header `webhook-timestamp` is missing"),
        (delivery.clone().with("webhook-id", "a.1"), 400, "the header `webhook-id` is not written as it should be"),
        (
            delivery.clone().with("webhook-id", &"a".repeat(129)),
            400,
            "the header `webhook-id` is not written as it should be",
        ),
        (
            delivery.clone().with("webhook-timestamp", "+1795211197"),
            400,
            "the header `webhook-timestamp` is not written as it should be",
        ),
        (
            delivery.clone().with("webhook-timestamp", "9999999999999"),
            400,
            "the header `webhook-timestamp` is not written as it should be",
        ),
        (Delivery { body: vec![b' '; MAX_BODY + 1], ..delivery.clone() }, 413, "the body is larger than 1048576 bytes"),
        (
            Delivery { body: vec![b' '; MAX_BODY], ..delivery.clone() },
            401,
            "the signature is not made with the secret of this system",
        ),
    ];
    for (delivery, status, reason) in cases {
        assert_eq!(told(delivery), (status, reason.to_owned()));
    }
}

#[test]
fn woocommerce_is_understood_by_its_topic_and_its_ping_is_answered() {
    let secret = "a secret as text";
    let gate = of_body("X-WC-Webhook-Signature", Encoding::Base64, secret);
    let event = |topic: &str, body: &str| {
        let delivery = Delivery::of_body(WC, secret, body, |bytes| STANDARD.encode(bytes));
        let event = delivery.with("x-wc-webhook-topic", topic).at(&gate, now()).unwrap();
        (event.user, event.kind)
    };
    let seven = || Some("7".to_owned());
    assert_eq!(event("customer.created", r#"{"id":7,"email":"a@example.org"}"#), (seven(), EventKind::Created));
    assert_eq!(event("customer.updated", r#"{"id":7,"email":"a@example.org"}"#), (seven(), EventKind::Updated));
    assert_eq!(event("customer.deleted", r#"{"id":7}"#), (seven(), EventKind::Deleted));
    assert_eq!(event("order.created", r#"{"id":7}"#), (None, EventKind::Other));
    assert_eq!(event("customer.created", "[7]"), (None, EventKind::Other));

    let ping = Delivery { headers: BTreeMap::new(), body: b"webhook_id=12".to_vec() };
    assert_eq!(ping.at(&gate, now()), Err(Turned::Ping));
    assert_eq!(Turned::Ping.status(), 200);
    assert_eq!(ping.clone().with(WC, "AAAA").at(&gate, now()), Err(Turned::WrongSignature));
    for unsigned in ["webhook_id=", "webhook_id=1&user_id=7", "{\"id\":7}", "", "webhook_id=123456789012345678901"] {
        let body = unsigned.as_bytes().to_vec();
        assert_eq!(Delivery { body, ..ping.clone() }.at(&gate, now()), Err(Turned::Unsigned), "{unsigned}");
    }
    assert_eq!(ping.at(&standard(&Secret::new(SECRET)), now()), Err(Turned::Unsigned));
}

#[test]
fn only_digits_of_one_user_leave_a_body() {
    let gate = of_body(WC, Encoding::Hex, "a secret as text");
    let user = |body: Json| {
        let body = body.to_string();
        Delivery::of_body(WC, "a secret as text", &body, hex).at(&gate, now()).unwrap().user
    };
    for body in [json!({ "user_id": 7 }), json!({ "ID": "7" }), json!({ "data": { "ID": "7" }, "ID": 7 })] {
        assert_eq!(user(body), Some("7".to_owned()));
    }
    for body in [
        json!({ "ID": 7, "data": { "ID": "8" } }),
        json!({ "user_id": 7, "ID": "seven" }),
        json!({ "user_id": "7; drop" }),
        json!({ "user_id": "../7" }),
        json!({ "user_id": "٧" }),
        json!({ "user_id": "007" }),
        json!({ "user_id": 0 }),
        json!({ "user_id": -7 }),
        json!({ "user_id": 7.5 }),
        json!({ "user_id": "123456789012345678901" }),
        json!({ "user_id": ["7"] }),
        json!({ "id": 7 }),
        json!({}),
        json!([{ "user_id": 7 }]),
    ] {
        assert_eq!(user(body.clone()), None, "{body}");
    }
}

#[test]
fn a_time_that_is_yet_to_come_or_is_none_is_not_believed() {
    let gate = of_body(WC, Encoding::Hex, "a secret as text");
    let time = |occurred_at: &str| {
        let body = json!({ "user_id": 7, "type": "user.updated", "occurred_at": occurred_at }).to_string();
        Delivery::of_body(WC, "a secret as text", &body, hex).at(&gate, now()).unwrap().occurred_at
    };
    assert_eq!(time("2026-11-20T21:46:40Z"), Some(now()));
    assert_eq!(time("2026-11-20T21:46:41Z"), None);
    assert_eq!(time("yesterday"), None);
}

#[test]
fn a_secret_that_anybody_could_guess_opens_nothing() {
    let refused = |signing: &Signing, secret: &str| Gate::new(signing.clone(), &[Secret::new(secret)]).err();
    let by_body = Signing::Body { header: "x-signature".to_owned(), encoding: Encoding::Hex };
    assert_eq!(Gate::new(Signing::Standard, &[]).err(), Some(BadSecret::None));
    assert_eq!(refused(&Signing::Standard, "whsec_"), Some(BadSecret::Empty));
    assert_eq!(refused(&Signing::Standard, "whsec_c2hvcnQ="), Some(BadSecret::Short));
    assert_eq!(refused(&Signing::Standard, "whsec_!"), Some(BadSecret::NotBase64));
    assert_eq!(refused(&Signing::Standard, &format!("{SECRET}\n")), None);
    assert_eq!(refused(&by_body, " \n"), Some(BadSecret::Empty));
    assert_eq!(refused(&by_body, "some text"), None);
    let gate = Gate::new(by_body, &[Secret::new("some text")]).unwrap();
    assert!(!format!("{gate:?}").contains("some text"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn noise_is_turned_away(
        body in prop::collection::vec(any::<u8>(), 0..64), id in ".{0,12}", time in "[0-9]{0,14}", signature in ".{0,60}"
    ) {
        let noise = Delivery { headers: BTreeMap::new(), body }
            .with("webhook-id", &id)
            .with("webhook-timestamp", &time)
            .with("webhook-signature", &format!("v1,{signature}"))
            .with(WC, &signature);
        prop_assert!(noise.at(&standard(&Secret::new(SECRET)), now()).is_err());
        prop_assert!(noise.at(&of_body(WC, Encoding::Hex, SECRET), now()).is_err());
        prop_assert!(noise.at(&of_body(WC, Encoding::Base64, SECRET), now()).is_err());
    }

    #[test]
    fn signed_noise_names_somebody_in_digits_or_nobody(
        body in r#"\{"(user_id|ID|id|data|type)":("?[0-9a-z]{0,24}"?|\{"ID":"?[0-9]{1,22}"?\})\}|.{0,40}"#, topic in "customer.(created|x)|.{0,8}"
    ) {
        let delivery = Delivery::of_body(WC, SECRET, &body, hex).with("x-wc-webhook-topic", &topic);
        for delivery in [delivery.clone(), delivery.without("x-wc-webhook-topic")] {
            let event = delivery.at(&of_body(WC, Encoding::Hex, SECRET), now()).unwrap();
            prop_assert!(event.user.is_none_or(|user| is_digits(&user, MAX_USER_DIGITS)));
        }
    }
}
