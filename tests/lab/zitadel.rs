//! The lab's ZITADEL, asked directly and held against `zitadel.md` row by row.

#![expect(clippy::unwrap_used, reason = "what is missing in an answer fails the test, in a helper too")]

use crate::common::{Answer, World};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// Made for these tests; it opens nothing.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC/UnwveCPN/FDa
sCxBYq+112hONLaGV/ESsaTophJ1sFuyD9xBqT9iT5NCi3vcEzHCdbzgguto5Ms0
rzSTicq+KYLgFLgzh/Wz5qI2s8BndmExKpvz0QVojKRS5r3mvGOuBAKkSpeBD/YE
WXcB63KKfkSHbbROYnHDluAZyKifVypbC6tQVR/YbdDHCvWLghSPUY5HlJ+JY0Lv
xFrZJO5vSyCwk3S56wQaqTfjp8/1sLiJaHlP57MbCp6LO/Hk8VCfKgubRSfoGLBz
kYvu30ABlJO7JFjRk8UYiqANznHbwcLxs2mugNfag3O9fjSJn38kM/Tf7qv1qeSK
7QBGpgdNAgMBAAECggEAS6vTRG8vMiymyig+CMqAltqQ/cWpn68uwWcTw5TT3kqX
qfDN/AZ19Gtm4j4LCjtpRfGNd/swIvfDS540nFo2n0oJ4pkvVepjivkglaQ46HMQ
9AJXVnMIwZZG9CchWx6OCmi5psN98uUeOBAumsrGLfLNJgeE9i/HsUV+c5RC5WpC
7aWwHbAzgezz/QG3ETUc1mGVvrT79sN1pmWimXW0TW84cDYRelLJIFkDCx2FGEkn
IIGcibEqI9AsWwmlymxUaJVJJKyJLzzY6fRNlzgYQaBlH6rV7AuzSPtiZktun4IR
utPFxHWjSmmCOHVhoatHdXnomh/aN4V/MDw+CyEenQKBgQD7fEtKECvSytVWBCfT
9vKc+D1eOs/3LD8jDJucFLpCYNui0YYKp/aVhOxSn7lVtaY8Az+4iXS5f60nDSRG
UGLq3egWaGAIQzL9WncDyh8Q/f64rcUvCn18gws6Ke7m8U+5e9JgmNuFxzuKQ0+n
it7430TckHq1CNiFmV6l0Efj8wKBgQDCwbWgiIpkQD7z9kGOci4CPJli4S1v54CA
iXD4N0iIVTuI0dfMuqgk4LdhfIlBMo676aJtSfuX+KwHrCyywnMXcBQgD87kzd+G
h2YCiyZeGzZsvqi8GqSioMoT6Ul5pJqx3CRJSYVxXM0Q6cG7/EOekSoYKXHtO5za
MNumvf93vwKBgHTAAk/y6/VjNuFE8pyD46Qd1pedZBjS0MjbvI4cTVAtmSmgbcMa
sO4/FFtTTX5N40uvEnEAV1Eaxe8AOdvuy81PkcR9Vj/fupdF3UTEG+IOmKdx/L3W
9+TLDXZGK2PJmYJ5ynQP4rHbiXepwhv864DMXjKrXFwZLDPxvK/r3sQjAoGAc5cm
5oXDpaaf9on09Md92SQAYbiGEEHVefSZESk2qnvz3su1CjTKsUCSdpDEoeaQ4qTT
G4xqgBM+fztIODzCtGl3+GOJhzFNdnoMKHxQJFCAZ+BtI1+o0UEfTtwKGOGCUwf2
nWy+f771kxE6RAmAVK+RzU9j58qW2MVgyMFBy98CgYEA3keGmbhgAUqTmmVVTRH5
NBBLImNa3yGPsntPNOruaa0pPQqmaT7zlGIbHZLa0+4A0Uo+0pzEZARA3sLBtqpL
8GRgHKoeMd8KUgCUFlmlo2kNW7J+lYqaKEU0sv9tWgvIgcvEX77uYdo7NK0wncsb
ow9kx7CO98DwNbHZinSeVpE=
-----END PRIVATE KEY-----
";
/// A key the instance does not know.
const OTHER_KEY: &str = "-----BEGIN PRIVATE KEY-----
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCaMQF7BHj39g/p
nuQDPE0FUF69CjGmjQLG1Vi5vauvpkn5UG1JH9ePoiNgmuunDrOadnCnM4xRM+wk
kRKwbpMmPi+NIwQlf0hpZDE/FUGIrJEGjF/+XE10CVG0mbtLekYEqZAGJRgj6GLe
DF90U2wqSlINNifGefmLci/amBLWkJuCheGMpkKNKBMUOKzzjn1YxZK+rEDYhzna
BM1FgPjN9LSyLXYnvVhVKe6W8o2N/Zk6DqDk7IflW0vjPxF/Lr7JfwHCnAgCL6eD
VXs7slRWE4dJyTday1B2UH34kBSKYC7o4IMNSEaPRNXtcIiW3DQth7fuw+R+YTS0
DPoCPTNzAgMBAAECggEAE7ZHedefiMEKAGmSEsvRuOfbxLpvOzCfIJZDyohx+3mn
JAVhLfkGe36p8SlnuQALJqhqTHstlBqu32811B0UGM6DERMJ7lVFskY0eYZueK+U
YXbutWZNdz59wI3qwNfNPb6uV+rEGaBq4KJKTbp12I45y9CW6IEizZiif4VI2z8x
z9dvG/AguSdgIGZLaHzm7bcP/5zbjlsqpXQ1moQECbdULsMwrcD/1BsebLfdT6HM
Wbzgu1feVw1ksd9oruG0ckgH/Oyp8yI9wlcmHEXBlOqKCqkpo38nRVOcwQOWeGdZ
m69uxrv9XP6SyH5pfLRckawlgqO/nVay/1MTXaS2SQKBgQDXiqdJUEjVrggOl6OG
Qntk8OVKl9iCtcpVmoDVjMh6V+bFbbs6i5HEz4yd9RFoZ7DW8Ejwkzdk0d7lbJ5L
IjuLbWxzKS+xH9n2QW+oXQzSoKE19I2QES9pe9Uqmdzr1fLXDOlYSw2lcdJHTV1B
ScFahy2QFFksFKWKpKnwCMVD3wKBgQC3IlAmFMTDMOhZEdyLLv4SKfOZ8nht1KM3
Eu4SwDKqoapjuEoKH3HA5JTA6BYGVcIz5UpLFWywyupvwREo19nKCXe8ndLVu/t8
tJVrctJtTtwKD/gBdzvlNkLWUdiayYky5ZQyCS9UygOOvtaWMM4t6Mb6EWXVf6wS
K6NJBJ5i7QKBgE8CFTYLhtdE1tE6hoeVYRPsNbB1HrkzF/rvCqC83VPzWrUt9v6L
4KALEFlqVro1oB35sFL3M8vyHkls2k1iO/9s2d8QztmXelcJP3uwuB2RIebcQPP5
SK7a5JWcFt4f68cmhXaG9Hab1V+rnS5sccLUYEA7JUDCRLggieZh4KVzAoGALkcE
e+sJoc2NGVzzH1TbrVlejouANTjjmbo14RUieI3r0dEzHIW/qB/bGzhKwIURUy3g
7UJXugE85sqh/HE3Pt/PmyFCsvIS5ft4OrPESwz/e6d3Y19vCkgA8cmy88Jz4iGz
pkU96a424e6FqWRh5aYKCg01b5MYt2rBk2UQZS0CgYB5Hb5Sof3cW9X8YyItpklH
ZNwJssfej9v/EFKaURuJPY2xhZ+WPqV5TXPNkKvqJSD2Y6od/6JahSnMSF7OdRZz
UknIrvDN3bxtNPUcT86hi9lmJC2l7M0g/1SKTiq8G1bBKPxVz5YFRMIbaEL5GUK6
55ysDiqmtoZglVXyLaqzQw==
-----END PRIVATE KEY-----
";
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAv1J8L3gjzfxQ2rAsQWKv
tddoTjS2hlfxErGk6KYSdbBbsg/cQak/Yk+TQot73BMxwnW84ILraOTLNK80k4nK
vimC4BS4M4f1s+aiNrPAZ3ZhMSqb89EFaIykUua95rxjrgQCpEqXgQ/2BFl3Aety
in5Eh220TmJxw5bgGcion1cqWwurUFUf2G3Qxwr1i4IUj1GOR5SfiWNC78Ra2STu
b0sgsJN0uesEGqk346fP9bC4iWh5T+ezGwqeizvx5PFQnyoLm0Un6Biwc5GL7t9A
AZSTuyRY0ZPFGIqgDc5x28HC8bNproDX2oNzvX40iZ9/JDP03+6r9ankiu0ARqYH
TQIDAQAB
-----END PUBLIC KEY-----
";

/// Two organizations, a few people, a machine, and tokens with different rights.
fn seed() -> Value {
    json!({
        "organizations": [{ "id": "org1", "name": "ACME" }, { "id": "org2", "name": "Other" }],
        "settings": { "verified_domains": { "org2": ["other.example"] } },
        "users": [
            { "id": "jane", "username": "jane", "first_name": "Jane", "last_name": "Doe", "nickname": "jd",
              "email": "jane@example.org", "email_verified": true, "preferred_language": "en" },
            { "id": "joe", "username": "Joe", "first_name": "Joe", "last_name": "Roe", "email": "joe@example.org",
              "email_verified": false, "phone": "+41791234567", "phone_verified": true, "gender": "male" },
            { "id": "ina", "username": "ina", "first_name": "Ina", "email": "ina@example.org", "state": "inactive" },
            { "id": "lou", "username": "lou", "first_name": "Lou", "email": "lou@example.org", "state": "locked" },
            { "id": "new", "username": "newcomer", "first_name": "New", "email": "new@example.org", "state": "initial" },
            { "id": "far", "username": "far", "first_name": "Far", "email": "far@other.example", "organization": "org2" },
            { "id": "bot", "username": "bot", "machine": true },
            { "id": "viewer", "username": "viewer", "machine": true },
            { "id": "nobody", "username": "nobody", "machine": true },
            { "id": "manager", "username": "manager", "machine": true },
            { "id": "asleep", "username": "asleep", "machine": true, "state": "inactive" },
        ],
        "tokens": [
            { "user": "homeward-service", "roles": ["IAM_OWNER"] },
            { "user": "homeward-service", "token": "stale", "expired": true },
            { "user": "viewer", "token": "viewer", "roles": ["IAM_OWNER_VIEWER"] },
            { "user": "nobody", "token": "nobody" },
            { "user": "manager", "token": "manager", "roles": ["ORG_USER_MANAGER"] },
            { "user": "asleep", "token": "asleep", "roles": ["IAM_OWNER"] },
            { "user": "jane", "token": "jane" },
        ],
        "keys": [{ "key_id": "k1", "user": "homeward-service", "public_key_pem": PUBLIC_KEY }],
        "secrets": [{ "user": "homeward-service", "secret": "s3cret" }],
    })
}

fn world() -> World {
    World::with_lab_of("zitadel", &seed())
}

fn world_of(version: &str) -> World {
    let mut seed = seed();
    seed["settings"]["version"] = version.into();
    World::with_lab_of("zitadel", &seed)
}

fn ask(world: &World, method: &str, path: &str, body: &Value) -> Answer {
    world.ask("zitadel", method, path, &[], body)
}

fn ask_as(world: &World, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    world.ask("zitadel", method, path, &[("Authorization", &bearer)], body)
}

/// Status, code, id (`-` where there are no details) and message.
fn refusal(answer: &Answer) -> (u16, i64, String, String) {
    let body = answer.json();
    let id = match &body["details"] {
        Value::Null => "-".to_owned(),
        details => details[0]["id"].as_str().unwrap_or("").to_owned(),
    };
    (answer.status, body["code"].as_i64().unwrap(), id, body["message"].as_str().unwrap().to_owned())
}

/// Status, code and id.
fn short(answer: &Answer) -> (u16, i64, String) {
    let (status, code, id, _) = refusal(answer);
    (status, code, id)
}

fn no(status: u16, code: i64, id: &str) -> (u16, i64, String) {
    (status, code, id.to_owned())
}

fn done(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn held(world: &World, id: &str) -> Value {
    world.state("zitadel")["users"][id].clone()
}

/// What differs between two versions of a user, but for sequence and time.
fn differences(before: &Value, after: &Value) -> Value {
    let after = after.as_object().unwrap();
    let told = after.iter().filter(|(name, value)| before[name.as_str()] != **value);
    told.filter(|(name, _)| *name != "sequence" && *name != "changed")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn patch(world: &World, id: &str, body: &Value) -> Answer {
    ask(world, "PATCH", &format!("/v2/users/{id}"), body)
}

fn ids(answer: &Value) -> Vec<&str> {
    let users = answer["result"].as_array().map(Vec::as_slice).unwrap_or_default();
    users.iter().map(|user| user["userId"].as_str().or(user["id"].as_str()).unwrap()).collect()
}

// 1. The gateway.

#[test]
fn unknown_fields_and_names_of_an_enumeration_are_ignored_without_a_word() {
    let world = world();
    let before = held(&world, "jane");
    for body in [
        json!({ "userName": "x", "human": {} }),
        json!({ "human": { "email": null, "e-mail": "x" } }),
        json!({ "human": { "profile": { "gender": "FEMALE", "firstName": "X" } } }),
    ] {
        done(&patch(&world, "jane", &body));
        assert_eq!(held(&world, "jane"), before, "{body}");
    }
}

#[test]
fn input_may_be_camel_case_or_snake_case_and_an_enumeration_may_be_a_number() {
    let world = world();
    let before = held(&world, "jane");
    done(&patch(
        &world,
        "jane",
        &json!({ "human": { "profile": { "given_name": "A", "familyName": "B", "gender": 1 } } }),
    ));
    let changed = json!({ "first_name": "A", "last_name": "B", "gender": "female" });
    assert_eq!(differences(&before, &held(&world, "jane")), changed);
}

#[test]
fn zero_values_are_left_out_except_where_the_server_sets_them_and_big_numbers_are_text() {
    let world = world();
    let jane = done(&ask(&world, "GET", "/v2/users/jane", &Value::Null));
    let details = json!({
        "sequence": "1",
        "changeDate": "2025-12-01T10:00:00.250125Z",
        "resourceOwner": "org1",
        "creationDate": "2025-12-01T10:00:00.250125Z",
    });
    assert_eq!(
        jane,
        json!({
            "details": details,
            "user": {
                "userId": "jane", "details": details, "state": "USER_STATE_ACTIVE", "username": "jane",
                "loginNames": ["jane"], "preferredLoginName": "jane",
                "human": {
                    "profile": { "givenName": "Jane", "familyName": "Doe", "nickName": "jd", "displayName": "Jane Doe",
                                 "preferredLanguage": "en", "gender": "GENDER_UNSPECIFIED" },
                    "email": { "email": "jane@example.org", "isVerified": true },
                    "phone": {},
                },
            },
        })
    );
    let joe = done(&ask(&world, "GET", "/v2/users/joe", &Value::Null));
    let human = json!({
        "profile": { "givenName": "Joe", "familyName": "Roe", "nickName": "", "displayName": "Joe Roe",
                     "preferredLanguage": "en", "gender": "GENDER_MALE" },
        "email": { "email": "joe@example.org" },
        "phone": { "phone": "+41791234567", "isVerified": true },
    });
    assert_eq!(joe["user"]["human"], human);
    let nobody = json!({ "queries": [{ "userNameQuery": { "userName": "nowhere" } }] });
    let none = done(&ask(&world, "POST", "/v2/users", &nobody));
    assert_eq!(none["result"], Value::Null);
    assert_eq!(none["details"]["totalResult"], Value::Null);
}

#[test]
fn the_whitespace_of_an_answer_is_not_stable() {
    let world = world();
    let one = ask(&world, "GET", "/v2/users/jane", &Value::Null);
    let two = ask(&world, "GET", "/v2/users/jane", &Value::Null);
    assert_ne!(one.text, two.text);
    assert_eq!(one.json(), two.json());
}

#[test]
fn what_is_no_message_is_refused_by_the_parser_before_anybody_asks_who_is_calling() {
    let world = world();
    let before = world.state("zitadel");
    for body in [
        json!({ "username": 5, "human": {} }),
        json!({ "human": [] }),
        json!({ "human": { "email": { "email": "a@b.c", "isVerified": "true" } } }),
        json!({ "human": { "email": { "email": "a@b.c", "isVerified": true, "sendCode": {} } } }),
        json!({ "human": {}, "machine": {} }),
        json!({ "human": { "profile": { "givenName": "A", "given_name": "B" } } }),
        json!("{\"human\":"),
        json!([]),
    ] {
        let answer = world.ask("zitadel", "PATCH", "/v2/users/jane", &[("authorization", "")], &body);
        let (status, code, id, message) = refusal(&answer);
        assert_eq!((status, code, id.as_str()), (400, 3, "-"), "{body}");
        assert!(message.starts_with("proto:"), "{message}");
    }
    assert_eq!(world.state("zitadel"), before);
}

#[test]
fn a_known_path_with_another_method_is_405_and_an_unknown_one_404() {
    let world = world();
    let wrong = ask(&world, "PUT", "/v2/users/jane", &json!({}));
    assert_eq!((wrong.status, wrong.json()), (405, json!({ "code": 12, "message": "Method Not Allowed" })));
    let unknown = ask(&world, "GET", "/v2/persons", &Value::Null);
    assert_eq!((unknown.status, unknown.json()), (404, json!({ "code": 5, "message": "Not Found" })));
}

#[test]
fn a_host_without_an_instance_is_not_found() {
    let world = world();
    let answer = world.ask("zitadel", "GET", "/v2/users/jane", &[("Host", "id.example.com")], &Value::Null);
    let (status, code, id, message) = refusal(&answer);
    assert_eq!((status, code, id.as_str()), (404, 5, "-"));
    assert!(message.starts_with("unable to set instance using origin id.example.com"), "{message}");
}

#[test]
fn a_version_has_what_it_had() {
    let body = json!({ "username": "renamed", "human": {} });
    let new = json!({ "organizationId": "org1", "human": {
        "profile": { "givenName": "A", "familyName": "B" }, "email": { "email": "a@b.example" } } });
    let cases = [("4.13.0", (200, 200, 200, 200)), ("3.2.1", (405, 405, 404, 200)), ("2.30.0", (404, 404, 404, 404))];
    for (version, wanted) in cases {
        let world = world_of(version);
        let rpc = ask(&world, "POST", "/zitadel.user.v2.UserService/GetUserByID", &json!({ "userId": "jane" }));
        let update = patch(&world, "jane", &body);
        let create = ask(&world, "POST", "/v2/users/new", &new);
        let get = ask(&world, "GET", "/v2/users/jane", &Value::Null);
        assert_eq!((update.status, create.status, rpc.status, get.status), wanted, "{version}");
        if update.status == 405 {
            assert_eq!(update.json()["code"], 12);
        }
        if rpc.status == 404 {
            assert_eq!(rpc.json(), json!({ "code": 5, "message": "Not Found" }));
        }
        let old = ask(&world, "PUT", "/management/v1/users/jane/username", &json!({ "userName": "again" }));
        assert_eq!(old.status, 200, "{version}");
    }
}

// 2. Who is calling.

#[test]
fn each_failure_of_authentication_has_its_form_and_its_header() {
    let world = world();
    let cases = [
        ("", "-", "auth header missing"),
        ("Basic eDp5", "AUTH-toLo1", "invalid auth header (AUTH-toLo1)"),
        ("bearer stale", "AUTH-toLo1", "invalid auth header (AUTH-toLo1)"),
        ("Bearer unknown", "AUTH-7fs1e", "Errors.Token.Invalid (AUTH-7fs1e)"),
        ("Bearer stale", "AUTH-7fs1e", "Errors.Token.Invalid (AUTH-7fs1e)"),
        ("Bearer asleep", "AUTH-7fs1e", "Errors.Token.Invalid (AUTH-7fs1e)"),
    ];
    for (header, id, message) in cases {
        let answer = world.ask("zitadel", "GET", "/v2/users/jane", &[("Authorization", header)], &Value::Null);
        assert_eq!(refusal(&answer), (401, 16, id.to_owned(), message.to_owned()), "{header}");
        assert_eq!(answer.headers["www-authenticate"], message, "{header}");
    }
}

#[test]
fn a_token_ends_when_its_user_is_deactivated() {
    let world = world();
    done(&ask_as(&world, "manager", "GET", "/v2/users/jane", &Value::Null));
    done(&ask(&world, "POST", "/v2/users/manager/deactivate", &json!({})));
    assert_eq!(short(&ask_as(&world, "manager", "GET", "/v2/users/jane", &Value::Null)), no(401, 16, "AUTH-7fs1e"));
}

#[test]
fn the_organization_header_is_looked_up_everywhere_and_chooses_only_in_the_old_api() {
    let world = world();
    let get = |path: &str, organization: &str| {
        world.ask("zitadel", "GET", path, &[("x-zitadel-orgid", organization)], &Value::Null)
    };
    let unknown = get("/v2/users/jane", "org9");
    let told = (403, 7, "AUTH-Bs7Ds".to_owned(), "Organisation doesn't exist (AUTH-Bs7Ds)".to_owned());
    assert_eq!(refusal(&unknown), told);
    assert_eq!(refusal(&get("/management/v1/users/jane", "org9")), told);
    assert_eq!(get("/v2/users/far", "org1").status, 200);
    assert_eq!(get("/v2/users/far", "").status, 200);
    assert_eq!(get("/management/v1/users/far", "org2").status, 200);
    assert_eq!(short(&get("/management/v1/users/far", "")), no(404, 5, "QUERY-Dfbg2"));
}

const SCOPE: &str = "openid urn:zitadel:iam:org:project:id:zitadel:aud";

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

fn claims(world: &World) -> Value {
    let user = world.state("zitadel")["users"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(_, user)| user["username"] == "homeward-service")
        .unwrap()
        .0
        .clone();
    json!({ "iss": user, "sub": user, "aud": world.url("zitadel"), "iat": now(), "exp": now() + 600 })
}

fn signed(claims: &Value, key: &str, pem: &str) -> String {
    let header = Header { kid: Some(key.to_owned()), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, &EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()).unwrap()
}

fn exchange(world: &World, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
    all.extend_from_slice(headers);
    if headers.is_empty() {
        all.push(("Authorization", ""));
    }
    world.ask("zitadel", "POST", "/oauth/v2/token", &all, &json!(form))
}

fn by_key(world: &World, assertion: &str, scope: &str) -> Answer {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    exchange(world, &[], &[("grant_type", grant), ("scope", scope), ("assertion", assertion)])
}

#[test]
fn a_signed_assertion_becomes_a_token_that_works() {
    let world = world();
    let granted = done(&by_key(&world, &signed(&claims(&world), "k1", PRIVATE_KEY), SCOPE));
    assert_eq!((&granted["token_type"], &granted["expires_in"]), (&json!("Bearer"), &json!(43199)));
    let token = granted["access_token"].as_str().unwrap();
    assert_eq!(ask_as(&world, token, "GET", "/v2/users/jane", &Value::Null).status, 200);
    assert!(!world.state("zitadel").to_string().contains(token));
}

#[test]
fn a_token_without_both_scopes_is_refused_by_the_api() {
    let world = world();
    for scope in ["openid", "urn:zitadel:iam:org:project:id:zitadel:aud", "openid profile"] {
        let granted = done(&by_key(&world, &signed(&claims(&world), "k1", PRIVATE_KEY), scope));
        let token = granted["access_token"].as_str().unwrap();
        let answer = ask_as(&world, token, "GET", "/v2/users/jane", &Value::Null);
        assert_eq!(short(&answer), no(401, 16, "AUTH-7fs1e"), "{scope}");
    }
}

#[test]
fn an_assertion_with_anything_wrong_is_refused_in_the_words_of_oauth() {
    let world = world();
    let with = |name: &str, value: Value| {
        let mut claims = claims(&world);
        claims[name] = value;
        signed(&claims, "k1", PRIVATE_KEY)
    };
    let cases = [
        ("signed with another key", signed(&claims(&world), "k1", OTHER_KEY)),
        ("unknown key", signed(&claims(&world), "k2", PRIVATE_KEY)),
        ("another audience", with("aud", json!("https://id.example.com"))),
        ("with a path", with("aud", json!(format!("{}/oauth/v2/token", world.url("zitadel"))))),
        ("another issuer", with("iss", json!("jane"))),
        ("another subject", with("sub", json!("jane"))),
        ("over", with("exp", json!(now() - 10))),
        ("too old", with("iat", json!(now() - 3700))),
        ("no assertion", "nonsense".to_owned()),
    ];
    for (what, assertion) in cases {
        let answer = by_key(&world, &assertion, SCOPE);
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_request")), "{what}");
        assert!(answer.json()["error_description"].is_string(), "{what}");
    }
    let good = signed(&claims(&world), "k1", PRIVATE_KEY);
    assert_eq!(by_key(&world, &good, "").json()["error"], "invalid_request");
    assert_eq!(exchange(&world, &[], &[("grant_type", "password")]).json()["error"], "unsupported_grant_type");
}

#[test]
fn a_client_secret_becomes_a_token_too() {
    let world = world();
    let form = [("grant_type", "client_credentials"), ("scope", SCOPE)];
    let basic = |text: &str| {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    let granted = done(&exchange(&world, &[("Authorization", &basic("homeward-service:s3cret"))], &form));
    let token = granted["access_token"].as_str().unwrap();
    assert_eq!(ask_as(&world, token, "GET", "/v2/users/jane", &Value::Null).status, 200);
    let wrong = exchange(&world, &[("Authorization", &basic("homeward-service:wrong"))], &form);
    assert_eq!((wrong.status, &wrong.json()["error"]), (401, &json!("invalid_client")));
}

// 3. Errors.

#[test]
fn an_error_carries_its_id_inside_and_out_and_its_text_depends_on_the_language() {
    let world = world();
    let english = ask(&world, "GET", "/v2/users/gone", &Value::Null);
    assert_eq!(english.status, 404);
    assert_eq!(
        english.json(),
        json!({
            "code": 5,
            "message": "User could not be found (QUERY-Dfbg2)",
            "details": [{ "@type": "type.googleapis.com/zitadel.v1.ErrorDetail", "id": "QUERY-Dfbg2",
                          "message": "User could not be found" }],
        })
    );
    let german = world.ask("zitadel", "GET", "/v2/users/gone", &[("Accept-Language", "de-CH,de")], &Value::Null);
    let told = (404, 5, "QUERY-Dfbg2".to_owned(), "Der Benutzer wurde nicht gefunden (QUERY-Dfbg2)".to_owned());
    assert_eq!(refusal(&german), told);
}

#[test]
fn connect_answers_the_same_with_words_for_codes() {
    let world = world();
    let rpc = |method: &str, body: Value| ask(&world, "POST", &format!("/zitadel.user.v2.UserService/{method}"), &body);
    let rest = done(&ask(&world, "GET", "/v2/users/jane", &Value::Null));
    assert_eq!(done(&rpc("GetUserByID", json!({ "userId": "jane" }))), rest);
    let listed = done(&rpc("ListUsers", json!({ "queries": [{ "userNameQuery": { "userName": "jane" } }] })));
    assert_eq!(ids(&listed), ["jane"]);
    let updated = done(&rpc("UpdateUser", json!({ "userId": "jane", "username": "jane.doe", "human": {} })));
    assert_eq!(updated.as_object().unwrap().keys().collect::<Vec<_>>(), ["changeDate"]);
    assert_eq!(held(&world, "jane")["username"], "jane.doe");

    let taken = rpc("UpdateUser", json!({ "userId": "jane", "username": "joe", "human": {} }));
    assert_eq!(taken.status, 409);
    assert_eq!(
        taken.json(),
        json!({
            "code": "already_exists",
            "message": "User already exists (V3-DKcYh)",
            "details": [{
                "type": "zitadel.v1.ErrorDetail",
                "value": "CghWMy1ES2NZaBITVXNlciBhbHJlYWR5IGV4aXN0cw",
                "debug": { "id": "V3-DKcYh", "message": "User already exists" },
            }],
        })
    );
    let codes = [
        (rpc("GetUserByID", json!({ "userId": "gone" })), 404, "not_found"),
        (rpc("GetUserByID", json!({})), 400, "invalid_argument"),
        (rpc("GetUserByID", json!({ "userId": 5 })), 400, "invalid_argument"),
        (rpc("DeactivateUser", json!({ "userId": "ina" })), 400, "failed_precondition"),
        (rpc("UpdateUser", json!({ "userId": "jane" })), 501, "unimplemented"),
        (
            ask_as(&world, "wrong", "POST", "/zitadel.user.v2.UserService/GetUserByID", &json!({ "userId": "jane" })),
            401,
            "unauthenticated",
        ),
    ];
    for (answer, status, word) in codes {
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(word)));
    }
}

// 4. The old way.

fn old(world: &World, method: &str, path: &str, body: &Value) -> Answer {
    ask(world, method, &format!("/management/v1/users/{path}"), body)
}

#[test]
fn the_old_rename_trims_and_calls_what_is_already_so_an_error() {
    let world = world();
    let renamed = done(&old(&world, "PUT", "jane/username", &json!({ "userName": "  jane.doe " })));
    assert_eq!(renamed["details"]["sequence"], "2");
    assert_eq!(renamed["details"]["resourceOwner"], "org1");
    assert!(renamed["details"]["changeDate"].is_string());
    assert_eq!(held(&world, "jane")["username"], "jane.doe");
    let cases = [
        ("jane", "jane.doe", no(400, 9, "COMMAND-6m9gs")),
        ("jane", "JOE", no(409, 6, "V3-DKcYh")),
        ("jane", "   ", no(400, 3, "COMMAND-2N9fs")),
        ("jane", "", no(400, 3, "-")),
        ("gone", "x", no(404, 5, "COMMAND-5N9ds")),
        ("far", "x", no(404, 5, "COMMAND-5N9ds")),
        ("jane", "x@other.example", no(400, 3, "COMMAND-SFd21")),
    ];
    let before = world.state("zitadel");
    for (id, name, wanted) in cases {
        let answer = old(&world, "PUT", &format!("{id}/username"), &json!({ "userName": name }));
        assert_eq!(short(&answer), wanted, "{id} {name}");
    }
    assert_eq!(world.state("zitadel"), before);
    let other = [("x-zitadel-orgid", "org2")];
    let body = json!({ "userName": "farther" });
    assert_eq!(world.ask("zitadel", "PUT", "/management/v1/users/far/username", &other, &body).status, 200);
}

#[test]
fn the_old_profile_is_a_full_replacement() {
    let world = world();
    let before = held(&world, "jane");
    let same = json!({ "firstName": "Jane", "lastName": "Doe", "nickName": "jd", "displayName": "Jane Doe", "preferredLanguage": "en" });
    assert_eq!(short(&old(&world, "PUT", "jane/profile", &same)), no(400, 9, "COMMAND-2M0fs"));
    assert_eq!(held(&world, "jane"), before);
    let body = json!({ "firstName": "Jane", "lastName": "Roe", "displayName": "Jane Roe", "preferredLanguage": "de" });
    done(&old(&world, "PUT", "jane/profile", &body));
    let changed = json!({ "last_name": "Roe", "display_name": "Jane Roe", "nickname": "", "preferred_language": "de" });
    assert_eq!(differences(&before, &held(&world, "jane")), changed);
}

#[test]
fn the_old_email_and_states_refuse_what_is_already_so() {
    let world = world();
    let email = |id: &str, address: &str| {
        old(&world, "PUT", &format!("{id}/email"), &json!({ "email": address, "isEmailVerified": true }))
    };
    assert_eq!(short(&email("jane", "jane@example.org")), no(400, 9, "COMMAND-2b7fM"));
    assert_eq!(short(&email("new", "x@example.org")), no(400, 9, "COMMAND-J8dsk"));
    assert_eq!(short(&email("jane", "Jane <j@example.org>")), no(400, 3, "EMAIL-599GV"));
    done(&email("jane", "j@example.org"));
    assert_eq!(held(&world, "jane")["email"], "j@example.org");

    for (call, id, state) in [
        ("_deactivate", "jane", "inactive"),
        ("_reactivate", "jane", "active"),
        ("_lock", "jane", "locked"),
        ("_unlock", "jane", "active"),
    ] {
        done(&old(&world, "POST", &format!("{id}/{call}"), &json!({})));
        assert_eq!(held(&world, id)["state"], state);
    }
    for (call, id) in [("_deactivate", "ina"), ("_reactivate", "jane"), ("_lock", "lou"), ("_unlock", "jane")] {
        let answer = old(&world, "POST", &format!("{id}/{call}"), &json!({}));
        assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!(9)), "{call}");
    }
}

#[test]
fn the_old_search_and_import_work_in_one_organization() {
    let world = world();
    let found = done(&old(&world, "POST", "_search", &json!({ "query": { "asc": true } })));
    assert!(!ids(&found).contains(&"far"));
    assert!(ids(&found).contains(&"jane"));
    assert!(found["details"]["viewTimestamp"].is_string());
    let one = done(&old(&world, "GET", "jane", &Value::Null));
    assert_eq!(one["user"]["userName"], "jane");
    assert_eq!(one["user"]["human"]["profile"]["firstName"], "Jane");
    assert_eq!(one["user"]["human"]["email"], json!({ "email": "jane@example.org", "isEmailVerified": true }));

    let body = json!({ "userName": "ann", "profile": { "firstName": "Ann", "lastName": "Lee" }, "email": { "email": "ann@example.org" } });
    let made = done(&old(&world, "POST", "human/_import", &body));
    let id = made["userId"].as_str().unwrap();
    assert_eq!((&held(&world, id)["state"], &held(&world, id)["display_name"]), (&json!("initial"), &json!("Ann Lee")));
    assert_eq!(short(&old(&world, "POST", "human/_import", &body)), no(409, 6, "V3-DKcYh"));
}

// 5. UpdateUser, semantics 1 to 13.

#[test]
fn without_a_kind_of_user_nothing_can_be_changed() {
    let world = world();
    let answer = patch(&world, "jane", &json!({ "username": "x" }));
    assert_eq!(answer.status, 501);
    assert_eq!(
        answer.json(),
        json!({
            "code": 12,
            "message": "user type is not implemented ()",
            "details": [{ "@type": "type.googleapis.com/zitadel.v1.ErrorDetail", "message": "user type is not implemented" }],
        })
    );
    assert_eq!(held(&world, "jane")["username"], "jane");
}

#[test]
fn the_wrong_kind_is_an_unknown_user() {
    let world = world();
    for (id, body) in
        [("bot", json!({ "human": {} })), ("jane", json!({ "machine": {} })), ("gone", json!({ "human": {} }))]
    {
        assert_eq!(short(&patch(&world, id, &body)), no(404, 5, "COMMAND-ugjs0upun6"), "{id}");
    }
    done(&patch(&world, "bot", &json!({ "username": "robot", "machine": { "name": "Robot", "description": "d" } })));
    let bot = held(&world, "bot");
    assert_eq!((&bot["username"], &bot["name"], &bot["description"]), (&json!("robot"), &json!("Robot"), &json!("d")));
}

#[test]
fn only_what_is_there_and_differs_is_written_and_the_answer_holds_nothing_but_a_date() {
    let world = world();
    let before = held(&world, "jane");
    let body = json!({ "username": "jane", "human": { "profile": { "givenName": "Janet", "familyName": "Doe" } } });
    let answer = done(&patch(&world, "jane", &body));
    let after = held(&world, "jane");
    assert_eq!(differences(&before, &after), json!({ "first_name": "Janet" }));
    assert_eq!(after["sequence"], 2);
    assert_eq!(answer, json!({ "changeDate": after["changed"] }));
}

#[test]
fn the_same_values_are_a_success_that_writes_nothing() {
    let world = world();
    let before = world.state("zitadel");
    let body = json!({ "username": "jane", "human": {
        "profile": { "givenName": "Jane", "familyName": "Doe", "nickName": "jd", "displayName": "Jane Doe", "preferredLanguage": "en" },
        "email": { "email": "jane@example.org", "isVerified": true } } });
    let answer = done(&patch(&world, "jane", &body));
    assert_eq!(answer, json!({ "changeDate": before["users"]["jane"]["changed"] }));
    assert_eq!(world.state("zitadel"), before);
}

#[test]
fn the_checks_come_in_their_order_and_a_clash_undoes_everything() {
    let world = world();
    let before = world.state("zitadel");
    let human = json!({ "profile": { "givenName": "X" } });
    let cases = [
        ("jane", "gone", json!({ "username": "", "human": human }), no(400, 3, "-")),
        ("nobody", "gone", json!({ "username": "x", "human": human }), no(404, 5, "COMMAND-ugjs0upun6")),
        ("nobody", "jane", json!({ "username": "joe", "human": human }), no(404, 5, "AUTHZ-cdgFk")),
        ("viewer", "jane", json!({ "username": "x@other.example", "human": human }), no(403, 7, "AUTH-AWfge")),
        ("viewer", "jane", json!({ "username": "jane", "human": {} }), no(403, 7, "AUTH-AWfge")),
        ("manager", "jane", json!({ "username": "x@other.example", "human": human }), no(400, 3, "COMMAND-SFd21")),
        ("manager", "jane", json!({ "username": "JOE", "human": human }), no(409, 6, "V3-DKcYh")),
    ];
    for (token, id, body, wanted) in cases {
        let answer = ask_as(&world, token, "PATCH", &format!("/v2/users/{id}"), &body);
        assert_eq!(short(&answer), wanted, "{token} {id} {body}");
    }
    assert_eq!(world.state("zitadel"), before);
    // An empty part asks for nothing, so nobody is asked for a permission.
    done(&ask_as(&world, "viewer", "PATCH", "/v2/users/jane", &json!({ "human": {} })));
}

#[test]
fn somebody_may_change_herself_but_not_her_metadata() {
    let world = world();
    let own = |body: Value| ask_as(&world, "jane", "PATCH", "/v2/users/jane", &body);
    done(&own(json!({ "human": { "profile": { "nickName": "j" } } })));
    assert_eq!(held(&world, "jane")["nickname"], "j");
    let metadata = json!([{ "key": "source", "value": "d29yZHByZXNz" }]);
    assert_eq!(short(&own(json!({ "human": {}, "metadata": metadata }))), no(404, 5, "AUTHZ-cdgFk"));
    done(&patch(&world, "jane", &json!({ "human": {}, "metadata": metadata })));
    assert_eq!(held(&world, "jane")["metadata"], json!({ "source": "wordpress" }));
}

#[test]
fn values_are_not_trimmed_in_an_update_but_are_at_creation() {
    let world = world();
    done(&patch(&world, "jane", &json!({ "username": " jane ", "human": { "profile": { "givenName": " Jane " } } })));
    let jane = held(&world, "jane");
    assert_eq!((&jane["username"], &jane["first_name"]), (&json!(" jane "), &json!(" Jane ")));
    let body = json!({ "organizationId": "org1", "username": " ann ", "human": {
        "profile": { "givenName": " Ann ", "familyName": " Lee " }, "email": { "email": "ann@example.org" } } });
    let id = done(&ask(&world, "POST", "/v2/users/new", &body))["id"].as_str().unwrap().to_owned();
    let ann = held(&world, &id);
    assert_eq!(
        (&ann["username"], &ann["first_name"], &ann["display_name"]),
        (&json!("ann"), &json!("Ann"), &json!("Ann Lee"))
    );
}

#[test]
fn no_name_can_be_cleared_by_an_update_but_the_older_way_clears_two() {
    let world = world();
    for field in ["givenName", "familyName", "nickName", "displayName", "preferredLanguage"] {
        let most = if field == "preferredLanguage" { 10 } else { 200 };
        let mut name = field.to_owned();
        name[..1].make_ascii_uppercase();
        let message = format!(
            "invalid UpdateUserRequest.Human: embedded message failed validation | caused by: invalid UpdateUserRequest_Human.Profile: embedded message failed validation | caused by: invalid UpdateUserRequest_Human_Profile.{name}: value length must be between 1 and {most} runes, inclusive"
        );
        let answer = patch(&world, "jane", &json!({ "human": { "profile": { field: "" } } }));
        assert_eq!(refusal(&answer), (400, 3, "-".to_owned(), message));
    }
    let put = |body: Value| ask(&world, "PUT", "/v2/users/human/jane", &body);
    let before = held(&world, "jane");
    let answer = done(&put(
        json!({ "profile": { "givenName": "Jane", "familyName": "Doe", "nickName": "", "displayName": "" } }),
    ));
    assert_eq!(answer["details"]["sequence"], "2");
    assert_eq!(differences(&before, &held(&world, "jane")), json!({ "nickname": "", "display_name": "" }));
    let missing = put(json!({ "profile": { "givenName": "Jane" } }));
    assert_eq!(short(&missing), no(400, 3, "-"));
    assert_eq!(short(&ask(&world, "PUT", "/v2/users/human/gone", &json!({}))), no(404, 5, "COMMAND-ugjs0upun6"));
}

#[test]
fn the_display_name_does_not_follow_the_name() {
    let world = world();
    done(&patch(&world, "jane", &json!({ "human": { "profile": { "familyName": "Roe" } } })));
    assert_eq!(held(&world, "jane")["display_name"], "Jane Doe");
}

#[test]
fn a_language_is_never_refused() {
    let world = world();
    for (given, stored) in [("de_DE", "de-DE"), ("no way", "und"), ("FR", "fr")] {
        done(&patch(&world, "jane", &json!({ "human": { "profile": { "preferredLanguage": given } } })));
        assert_eq!(held(&world, "jane")["preferred_language"], stored);
    }
}

#[test]
fn a_phone_is_normalised_and_its_removal_is_written_every_time() {
    let world = world();
    let phone = |id: &str, body: Value| patch(&world, id, &json!({ "human": { "phone": body } }));
    done(&phone("joe", json!({ "phone": "079 123 45 67" })));
    assert_eq!(held(&world, "joe")["sequence"], 1, "the same number, spelled otherwise");
    done(&phone("joe", json!({ "phone": "078 123 45 67", "isVerified": true })));
    let joe = held(&world, "joe");
    assert_eq!((&joe["phone"], &joe["phone_verified"]), (&json!("+41781234567"), &json!(true)));
    assert!(done(&phone("joe", json!({ "phone": "+4930123456", "returnCode": {} })))["phoneCode"].is_string());

    let cases = [
        (json!({ "phone": "", "isVerified": true }), "USERv2-4f3d6"),
        (json!({ "phone": "", "sendCode": {} }), "USERv2-4f3d6"),
        (json!({ "phone": "call me" }), "PHONE-so0wa"),
        (json!({ "phone": "0791234567", "isVerified": false }), "-"),
    ];
    for (body, id) in cases {
        assert_eq!(short(&phone("joe", body.clone())), no(400, 3, id), "{body}");
    }
    for sequence in [2, 3] {
        done(&phone("jane", json!({ "phone": "" })));
        assert_eq!(held(&world, "jane")["sequence"], sequence);
    }
}

#[test]
fn an_email_changes_at_once_and_only_the_verified_way_sends_no_mail() {
    let rows = [
        (json!({ "email": "j@example.org", "isVerified": true }), true, false, false),
        (json!({ "email": "j@example.org" }), false, true, false),
        (json!({ "email": "j@example.org", "sendCode": {} }), false, true, false),
        (json!({ "email": "j@example.org", "isVerified": false }), false, true, false),
        (json!({ "email": "j@example.org", "returnCode": {} }), false, false, true),
    ];
    for (email, verified, mail, code) in rows {
        let world = world();
        let answer = done(&patch(&world, "jane", &json!({ "human": { "email": email } })));
        let state = world.state("zitadel");
        let jane = &state["users"]["jane"];
        assert_eq!((&jane["email"], &jane["email_verified"]), (&json!("j@example.org"), &json!(verified)), "{email}");
        let mails = if mail { json!([{ "user": "jane", "to": "j@example.org" }]) } else { json!([]) };
        assert_eq!(state["mails"], mails, "{email}");
        assert_eq!(answer["emailCode"].is_string(), code, "{email}");
    }
}

#[test]
fn an_unchanged_email_does_nothing_but_may_be_verified() {
    let world = world();
    let email = |body: Value| done(&patch(&world, "joe", &json!({ "human": { "email": body } })));
    let before = world.state("zitadel");
    for body in [json!({ "email": "joe@example.org" }), json!({ "email": "joe@example.org", "sendCode": {} })] {
        email(body);
    }
    assert_eq!(email(json!({ "email": "joe@example.org", "returnCode": {} }))["emailCode"], Value::Null);
    assert_eq!(world.state("zitadel"), before);
    email(json!({ "email": "joe@example.org", "isVerified": true }));
    assert_eq!(differences(&before["users"]["joe"], &held(&world, "joe")), json!({ "email_verified": true }));
}

#[test]
fn an_email_keeps_its_case_and_is_nobodys_alone() {
    let world = world();
    done(&patch(&world, "joe", &json!({ "human": { "email": { "email": "JANE@example.org", "isVerified": true } } })));
    assert_eq!(held(&world, "joe")["email"], "JANE@example.org");
    done(&patch(&world, "joe", &json!({ "human": { "email": { "email": "jane@example.org", "isVerified": true } } })));
    assert_eq!(held(&world, "joe")["email"], "jane@example.org");
    assert_eq!(held(&world, "jane")["email"], "jane@example.org");
}

#[test]
fn the_separate_email_endpoint_calls_the_same_address_an_error() {
    let world = world();
    let email = |id: &str, body: Value| ask(&world, "POST", &format!("/v2/users/{id}/email"), &body);
    let verified = |address: &str| json!({ "email": address, "isVerified": true });
    let same = email("jane", verified("jane@example.org"));
    let told = (400, 9, "COMMAND-Uch5e".to_owned(), "Email not changed (COMMAND-Uch5e)".to_owned());
    assert_eq!(refusal(&same), told);
    assert_eq!(short(&email("gone", verified("x@example.org"))), no(404, 5, "COMMAND-ieJ2e"));
    assert_eq!(short(&email("new", verified("x@example.org"))), no(400, 9, "COMMAND-uz0Uu"));
    assert_eq!(short(&email("jane", json!({ "email": "x@example.org", "isVerified": false }))), no(400, 3, "-"));
    let changed = done(&email("jane", json!({ "email": "x@example.org", "returnCode": {} })));
    assert!(changed["verificationCode"].is_string());
    assert_eq!(changed["details"]["resourceOwner"], "org1");
    assert_eq!(held(&world, "jane")["email_verified"], false);
}

#[test]
fn validation_speaks_its_own_words_and_of_the_first_violation_only() {
    let world = world();
    let before = world.state("zitadel");
    let long = "x".repeat(201);
    let email = "invalid UpdateUserRequest.Human: embedded message failed validation | caused by: invalid UpdateUserRequest_Human.Email: embedded message failed validation | caused by: invalid SetHumanEmail.Email: ";
    let username =
        "invalid UpdateUserRequest.Username: value length must be between 1 and 200 runes, inclusive".to_owned();
    let address = |text: &str| json!({ "human": { "email": { "email": text, "isVerified": true } } });
    let cases = [
        ("jane", json!({ "username": "", "human": {} }), username.clone()),
        ("jane", json!({ "username": long, "human": {} }), username),
        (long.as_str(), json!({ "human": {} }), "invalid UpdateUserRequest.UserId: value length must be between 1 and 200 runes, inclusive".to_owned()),
        ("jane", address("jane"), format!("{email}value must be a valid email address | caused by: mail: missing '@' or angle-addr")),
        ("jane", address(""), format!("{email}value length must be between 1 and 200 runes, inclusive")),
        ("jane", address("jane@müller.example"), format!("{email}value must be a valid email address | caused by: hostname parts can only contain alphanumeric characters or hyphens, got \"ü\"")),
        ("jane", json!({ "username": "", "human": { "email": { "email": "jane" } } }), format!("{email}value must be a valid email address | caused by: mail: missing '@' or angle-addr")),
        ("jane", json!({ "human": {}, "metadata": [{ "key": "k", "value": "eA==" }, { "key": "" }] }), "invalid UpdateUserRequest.Metadata[1]: embedded message failed validation | caused by: invalid Metadata.Key: value length must be between 1 and 200 runes, inclusive".to_owned()),
        ("jane", json!({ "human": { "profile": { "gender": 9 } } }), "invalid UpdateUserRequest.Human: embedded message failed validation | caused by: invalid UpdateUserRequest_Human.Profile: embedded message failed validation | caused by: invalid UpdateUserRequest_Human_Profile.Gender: value must be one of the defined enum values".to_owned()),
    ];
    for (id, body, message) in cases {
        assert_eq!(refusal(&patch(&world, id, &body)), (400, 3, "-".to_owned(), message), "{body}");
    }
    assert_eq!(short(&patch(&world, "jane", &address("Jane <jane@example.org>"))), no(400, 3, "EMAIL-599GV"));
    let empty = json!({ "human": {}, "metadata": [{ "key": "k", "value": "" }] });
    assert_eq!(short(&patch(&world, "jane", &empty)), no(400, 3, "META-2m00f"));
    assert_eq!(world.state("zitadel"), before);
}

#[test]
fn a_username_may_hold_anything_up_to_its_length() {
    let world = world();
    for name in ["jane@example.org", "Jane Doe!", "ü", &"x".repeat(200), "jane"] {
        done(&patch(&world, "jane", &json!({ "username": name, "human": {} })));
        assert_eq!(held(&world, "jane")["username"], name);
    }
}

#[test]
fn a_username_is_unique_in_the_instance_in_any_case_machines_included() {
    let world = world();
    let rename = |id: &str, name: &str| patch(&world, id, &json!({ "username": name, "human": {} }));
    for taken in ["joe", "BOT", "far", "FAR"] {
        let told = (409, 6, "V3-DKcYh".to_owned(), "User already exists (V3-DKcYh)".to_owned());
        assert_eq!(refusal(&rename("jane", taken)), told, "{taken}");
    }
    done(&rename("jane", "Jane"));
    assert_eq!(held(&world, "jane")["username"], "Jane");
    done(&rename("jane", "janet"));
    done(&rename("joe", "JANE"));
}

#[test]
fn by_policy_a_username_is_unique_in_its_organization_only() {
    for policy in ["organization_scoped_usernames", "user_login_must_be_domain"] {
        let world = world();
        world.lab("zitadel", "POST", "settings", &json!({ policy: true }));
        done(&patch(&world, "jane", &json!({ "username": "FAR", "human": {} })));
        assert_eq!(short(&patch(&world, "jane", &json!({ "username": "joe", "human": {} }))), no(409, 6, "V3-DKcYh"));
        let back = world.ask("zitadel", "POST", "/_lab/settings", &[], &json!({ policy: false }));
        assert_eq!(back.status, 400, "two users would have one name");
    }
}

// 6. Reading.

fn search(world: &World, queries: &Value) -> Vec<String> {
    let body = json!({ "query": { "asc": true, "limit": 100 }, "queries": queries });
    ids(&done(&ask(world, "POST", "/v2/users", &body))).into_iter().map(str::to_owned).collect()
}

#[test]
fn every_query_finds_whom_it_means_and_queries_narrow_one_another() {
    let world = world();
    done(&patch(&world, "jane", &json!({ "human": {}, "metadata": [{ "key": "source", "value": "d29yZHByZXNz" }] })));
    let machines = ["asleep", "bot", "manager", "nobody", "viewer"];
    let cases: Vec<(Value, Vec<&str>)> = vec![
        (json!([{ "userNameQuery": { "userName": "Joe" } }]), vec!["joe"]),
        (json!([{ "userNameQuery": { "userName": "joe" } }]), vec![]),
        (
            json!([{ "userNameQuery": { "userName": "joe", "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE" } }]),
            vec!["joe"],
        ),
        (
            json!([{ "firstNameQuery": { "firstName": "J", "method": "TEXT_QUERY_METHOD_STARTS_WITH" } }]),
            vec!["jane", "joe"],
        ),
        (
            json!([{ "lastNameQuery": { "lastName": "OE", "method": "TEXT_QUERY_METHOD_ENDS_WITH_IGNORE_CASE" } }]),
            vec!["jane", "joe"],
        ),
        (json!([{ "nickNameQuery": { "nickName": "jd" } }]), vec!["jane"]),
        (
            json!([{ "displayNameQuery": { "displayName": "ane D", "method": "TEXT_QUERY_METHOD_CONTAINS" } }]),
            vec!["jane"],
        ),
        (
            json!([{ "emailQuery": { "emailAddress": "JANE@example.org", "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE" } }]),
            vec!["jane"],
        ),
        (json!([{ "emailQuery": { "emailAddress": "JANE@example.org" } }]), vec![]),
        (json!([{ "phoneQuery": { "number": "+4179", "method": "TEXT_QUERY_METHOD_STARTS_WITH" } }]), vec!["joe"]),
        (json!([{ "loginNameQuery": { "loginName": "jane" } }]), vec!["jane"]),
        (json!([{ "stateQuery": { "state": "USER_STATE_LOCKED" } }]), vec!["lou"]),
        (json!([{ "stateQuery": { "state": "USER_STATE_INITIAL" } }]), vec!["new"]),
        (
            json!([{ "typeQuery": { "type": "TYPE_MACHINE" } }, { "notQuery": { "query": { "userNameQuery": { "userName": "homeward-service" } } } }]),
            machines.to_vec(),
        ),
        (json!([{ "inUserIdsQuery": { "userIds": ["far", "jane", "gone"] } }]), vec!["far", "jane"]),
        (json!([{ "inUserEmailsQuery": { "userEmails": ["far@other.example", "JOE@example.org"] } }]), vec!["far"]),
        (json!([{ "organizationIdQuery": { "organizationId": "org2" } }]), vec!["far"]),
        (json!([{ "metadataKeyFilter": { "key": "source" } }]), vec!["jane"]),
        (json!([{ "metadataValueFilter": { "value": "d29yZHByZXNz" } }]), vec!["jane"]),
        (
            json!([{ "orQuery": { "queries": [{ "userNameQuery": { "userName": "far" } }, { "nickNameQuery": { "nickName": "jd" } }] } }]),
            vec!["far", "jane"],
        ),
        (
            json!([{ "andQuery": { "queries": [{ "userNameQuery": { "userName": "far" } }, { "nickNameQuery": { "nickName": "jd" } }] } }]),
            vec![],
        ),
        (
            json!([{ "inUserIdsQuery": { "userIds": ["far", "jane"] } }, { "organizationIdQuery": { "organizationId": "org1" } }]),
            vec!["jane"],
        ),
    ];
    for (queries, wanted) in cases {
        assert_eq!(search(&world, &queries), wanted, "{queries}");
    }
}

#[test]
fn a_query_needs_a_member_and_may_not_be_nested_too_deeply() {
    let world = world();
    let empty = ask(&world, "POST", "/v2/users", &json!({ "queries": [{}] }));
    let message = "invalid ListUsersRequest.Queries[0]: embedded message failed validation | caused by: invalid SearchQuery.Query: value is required";
    assert_eq!(refusal(&empty), (400, 3, "-".to_owned(), message.to_owned()));
    let nested = |depth: usize| {
        (0..depth).fold(
            json!({ "userNameQuery": { "userName": "jane" } }),
            |inner, _| json!({ "andQuery": { "queries": [inner] } }),
        )
    };
    assert_eq!(search(&world, &json!([nested(20)])), ["jane"]);
    let deep = ask(&world, "POST", "/v2/users", &json!({ "queries": [nested(21)] }));
    assert_eq!(short(&deep), no(400, 3, "USER-zsQ97"));
}

#[test]
fn a_list_is_sorted_downwards_unless_asked_otherwise_and_comes_in_pages() {
    let world = world();
    let humans = json!([{ "typeQuery": { "type": "TYPE_HUMAN" } }]);
    let list = |query: Value, column: &str| {
        let body = json!({ "query": query, "sortingColumn": column, "queries": humans });
        let answer = done(&ask(&world, "POST", "/v2/users", &body));
        assert_eq!(answer["details"]["totalResult"], "6");
        ids(&answer).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list(json!({}), ""), ["new", "lou", "joe", "jane", "ina", "far"]);
    let cases = [
        ("USER_NAME", ["far", "ina", "jane", "joe", "lou", "new"]),
        ("FIRST_NAME", ["far", "ina", "jane", "joe", "lou", "new"]),
        ("EMAIL", ["far", "ina", "jane", "joe", "lou", "new"]),
        ("CREATION_DATE", ["jane", "joe", "ina", "lou", "new", "far"]),
    ];
    for (column, mut wanted) in cases {
        let column = format!("USER_FIELD_NAME_{column}");
        assert_eq!(list(json!({ "asc": true }), &column), wanted, "{column}");
        wanted.reverse();
        assert_eq!(list(json!({}), &column), wanted, "{column}");
    }
    assert_eq!(list(json!({ "asc": true, "offset": "1", "limit": 2 }), ""), ["ina", "jane"]);
    assert_eq!(list(json!({ "asc": true, "offset": "9", "limit": 2 }), ""), [""; 0]);
    let large = ask(&world, "POST", "/v2/users", &json!({ "query": { "limit": 1001 } }));
    assert_eq!((large.status, &large.json()["code"]), (400, &json!(3)));
    assert_eq!(ask(&world, "POST", "/v2/users", &json!({ "query": { "limit": 1000 } })).status, 200);
}

#[test]
fn a_list_holds_only_whom_the_token_may_read() {
    let world = world();
    let list = |token: &str| {
        let answer = done(&ask_as(&world, token, "POST", "/v2/users", &json!({ "query": { "asc": true } })));
        ids(&answer).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(list("viewer").contains(&"far".to_owned()));
    assert!(!list("manager").contains(&"far".to_owned()));
    assert!(list("manager").contains(&"jane".to_owned()));
    assert_eq!(list("nobody"), ["nobody"]);
}

// 7. States, creation, metadata, links.

#[test]
fn the_states_change_as_the_table_says_and_never_twice() {
    let world = world();
    let calls = [
        ("deactivate", "jane", "ina", "COMMAND-5gunjw0cd7", "inactive"),
        ("reactivate", "ina", "joe", "COMMAND-s5qqcz97hf", "active"),
        ("lock", "joe", "lou", "COMMAND-lgws8wtsqf", "locked"),
        ("unlock", "lou", "ina", "COMMAND-olb9vb0oca", "active"),
    ];
    let unknown = ["COMMAND-5gp2p62iin", "COMMAND-9hy5kzbuk6", "COMMAND-450yxuqrh1", "COMMAND-x377t913pw"];
    for ((call, good, bad, id, state), unknown) in calls.into_iter().zip(unknown) {
        let switch = |user: &str| ask(&world, "POST", &format!("/v2/users/{user}/{call}"), &json!({}));
        assert_eq!(short(&switch(bad)), no(400, 9, id), "{call}");
        assert_eq!(short(&switch("gone")), no(404, 5, unknown), "{call}");
        let answer = done(&switch(good));
        let after = held(&world, good);
        let details = json!({ "sequence": "2", "changeDate": after["changed"], "resourceOwner": "org1" });
        assert_eq!(answer, json!({ "details": details }), "{call}");
        assert_eq!(after["state"], state, "{call}");
        assert_eq!(short(&switch(good)), no(400, 9, id), "{call} again");
    }
    let initial = ask(&world, "POST", "/v2/users/new/deactivate", &json!({}));
    assert_eq!(short(&initial), no(400, 9, "COMMAND-gvx4kct9r2"));
    done(&ask(&world, "POST", "/v2/users/new/lock", &json!({})));
}

#[test]
fn the_state_is_judged_before_the_permission_and_nobody_switches_herself() {
    let world = world();
    let switch =
        |token: &str, user: &str| ask_as(&world, token, "POST", &format!("/v2/users/{user}/deactivate"), &json!({}));
    assert_eq!(short(&switch("viewer", "ina")), no(400, 9, "COMMAND-5gunjw0cd7"));
    assert_eq!(short(&switch("viewer", "jane")), no(403, 7, "AUTH-AWfge"));
    assert_eq!(short(&switch("jane", "jane")), no(404, 5, "AUTHZ-cdgFk"));
}

#[test]
fn a_deleted_user_is_gone_and_her_name_is_free() {
    let world = world();
    done(&ask(&world, "DELETE", "/v2/users/joe", &Value::Null));
    assert_eq!(short(&ask(&world, "DELETE", "/v2/users/joe", &Value::Null)), no(404, 5, "COMMAND-bd4ir1mblj"));
    assert_eq!(short(&ask(&world, "GET", "/v2/users/joe", &Value::Null)), no(404, 5, "QUERY-Dfbg2"));
    done(&patch(&world, "jane", &json!({ "username": "joe", "human": {} })));
}

#[test]
fn a_new_user_is_active_at_once_and_gets_what_was_not_said() {
    let world = world();
    let create = |body: Value| ask(&world, "POST", "/v2/users/new", &body);
    let human = |email: Value| json!({ "profile": { "givenName": "Ann", "familyName": "Lee" }, "email": email });
    let body = json!({ "organizationId": "org2", "userId": "ann", "human": human(json!({ "email": "ann@example.org", "isVerified": true })),
        "metadata": [{ "key": "source", "value": "aHI=" }] });
    let made = done(&create(body.clone()));
    let ann = held(&world, "ann");
    assert_eq!(made, json!({ "id": "ann", "creationDate": ann["changed"] }));
    let wanted = json!({
        "organization": "org2", "username": "ann@example.org", "state": "active", "display_name": "Ann Lee",
        "email": "ann@example.org", "email_verified": true, "gender": "unspecified", "metadata": { "source": "hr" },
    });
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(ann[name.as_str()], *value, "{name}");
    }
    let machine = done(&create(json!({ "organizationId": "org1", "machine": { "name": "Robot" } })));
    let id = machine["id"].as_str().unwrap();
    assert_eq!((id.len(), &held(&world, id)["username"]), (18, &json!(id)));

    let other = |field: &str, value: Value| {
        let mut body = body.clone();
        body[field] = value;
        body
    };
    let cases = [
        (body.clone(), no(400, 9, "COMMAND-7yiox1isql")),
        (other("organizationId", json!("org9")), no(400, 9, "COMMAND-QXPGs")),
        (
            json!({ "organizationId": "org1", "username": "JANE", "human": human(json!({ "email": "x@example.org" })) }),
            no(409, 6, "V3-DKcYh"),
        ),
        (json!({ "organizationId": "org1" }), no(400, 3, "-")),
        (
            json!({ "organizationId": "org1", "human": { "profile": { "givenName": "A", "familyName": "B" } } }),
            no(400, 3, "-"),
        ),
    ];
    for (body, wanted) in cases {
        assert_eq!(short(&create(body.clone())), wanted, "{body}");
    }
    let mut twice = body.clone();
    twice["userId"] = json!("twice");
    twice["human"]["metadata"] = json!([{ "key": "k", "value": "eA==" }]);
    assert_eq!(short(&create(twice)), no(400, 3, "USERv2-j0z7uy"));

    assert_eq!(world.state("zitadel")["mails"], json!([]));
    done(&create(
        json!({ "organizationId": "org1", "human": human(json!({ "email": "a1@example.org", "isVerified": false })) }),
    ));
    assert_eq!(world.state("zitadel")["mails"], json!([]), "unverified, and nothing sent");
    done(&create(
        json!({ "organizationId": "org1", "userId": "a2", "human": human(json!({ "email": "a2@example.org" })) }),
    ));
    assert_eq!(world.state("zitadel")["mails"], json!([{ "user": "a2", "to": "a2@example.org" }]));
}

#[test]
fn the_older_creation_answers_with_details() {
    let world = world_of("3.2.1");
    let body = json!({ "username": "ann", "organization": { "orgId": "org2" },
        "profile": { "givenName": "Ann", "familyName": "Lee" }, "email": { "email": "ann@example.org", "isVerified": true } });
    let made = done(&ask(&world, "POST", "/v2/users/human", &body));
    let id = made["userId"].as_str().unwrap();
    assert_eq!(made["details"]["resourceOwner"], "org2");
    assert_eq!(held(&world, id)["username"], "ann");
    assert_eq!(short(&ask(&world, "POST", "/v2/users/human", &body)), no(409, 6, "V3-DKcYh"));
}

#[test]
fn metadata_is_set_searched_and_deleted() {
    let world = world();
    let path = "/v2/users/jane/metadata";
    let entries = json!({ "metadata": [{ "key": "a", "value": "eA==" }, { "key": "b", "value": "eQ" }] });
    let set = done(&ask(&world, "POST", path, &entries));
    assert_eq!(set, json!({ "setDate": held(&world, "jane")["changed"] }));
    assert_eq!(held(&world, "jane")["metadata"], json!({ "a": "x", "b": "y" }));
    let before = held(&world, "jane");
    done(&ask(&world, "POST", path, &entries));
    assert_eq!(held(&world, "jane"), before, "unchanged keys are skipped");
    assert_eq!(short(&ask(&world, "POST", path, &json!({ "metadata": [] }))), no(400, 9, "META-9mm2d"));
    assert_eq!(short(&ask(&world, "POST", "/v2/users/gone/metadata", &entries)), no(400, 9, "COMMAND-uXHNj"));
    let found =
        done(&ask(&world, "POST", &format!("{path}/search"), &json!({ "filters": [{ "keyFilter": { "key": "a" } }] })));
    assert_eq!((&found["metadata"][0]["key"], &found["metadata"][0]["value"]), (&json!("a"), &json!("eA==")));
    assert_eq!(found["pagination"], json!({ "totalResult": "1", "appliedLimit": "100" }));
    let large = ask(&world, "POST", &format!("{path}/search"), &json!({ "pagination": { "limit": 1001 } }));
    assert_eq!(short(&large), no(400, 3, "QUERY-4M0fs"));
    assert_eq!(short(&ask(&world, "DELETE", &format!("{path}?keys=a&keys=c"), &Value::Null)), no(404, 5, "META-2nnds"));
    done(&ask(&world, "DELETE", &format!("{path}?keys=a&keys=b"), &Value::Null));
    assert_eq!(held(&world, "jane")["metadata"], json!({}));
}

/// The three generations.
const VERSIONS: [&str; 3] = ["4.13.0", "3.2.1", "2.71.0"];

/// The whole body of a no on REST.
fn told(code: i64, id: &str, text: &str) -> Value {
    let detail = json!({ "@type": "type.googleapis.com/zitadel.v1.ErrorDetail", "id": id, "message": text });
    json!({ "code": code, "message": format!("{text} ({id})"), "details": [detail] })
}

/// What a write of this user answers.
fn details_of(user: &Value) -> Value {
    let (sequence, changed) = (user["sequence"].as_u64().unwrap(), &user["changed"]);
    json!({ "details": {
        "sequence": sequence.to_string(), "changeDate": changed, "resourceOwner": user["organization"],
    } })
}

#[test]
fn locking_and_unlocking_depend_on_the_state_alone_in_every_version_and_on_both_ways() {
    let (active, locked) = ("User must be active or initial to be locked", "User is not locked");
    let gone = "User could not be found";
    let new =
        ("/v2/users/", "", ["COMMAND-lgws8wtsqf", "COMMAND-olb9vb0oca"], ["COMMAND-450yxuqrh1", "COMMAND-x377t913pw"]);
    let old = ("/management/v1/users/", "_", ["COMMAND-3NN8v", "COMMAND-4M0ds"], ["COMMAND-5M9fs", "COMMAND-M0dos"]);
    let mut compared = 0;
    for version in VERSIONS {
        for (base, mark, wrong, unknown) in [new, old] {
            if base == new.0 && version.starts_with('2') {
                continue;
            }
            let world = world_of(version);
            let ask = |id: &str, word: &str| ask(&world, "POST", &format!("{base}{id}/{mark}{word}"), &json!({}));
            for (id, before) in
                [("jane", "active"), ("new", "initial"), ("bot", "active"), ("ina", "inactive"), ("lou", "locked")]
            {
                let what = format!("{version} {base} {id}");
                assert_eq!(held(&world, id)["state"], before, "{what}");
                let refused = ask(id, "lock");
                if ["inactive", "locked"].contains(&before) {
                    assert_eq!((refused.status, refused.json()), (400, told(9, wrong[0], active)), "{what}");
                } else {
                    assert_eq!((refused.status, refused.json()), (200, details_of(&held(&world, id))), "{what}");
                    assert_eq!(held(&world, id)["state"], "locked", "{what}");
                    assert_eq!(ask(id, "lock").json(), told(9, wrong[0], active), "{what} again");
                }
                let unlocked = ask(id, "unlock");
                if before == "inactive" {
                    assert_eq!((unlocked.status, unlocked.json()), (400, told(9, wrong[1], locked)), "{what}");
                    assert_eq!(held(&world, id)["state"], "inactive", "{what}");
                } else {
                    // Who was never set up is active all the same.
                    assert_eq!((unlocked.status, unlocked.json()), (200, details_of(&held(&world, id))), "{what}");
                    assert_eq!(held(&world, id)["state"], "active", "{what}");
                    assert_eq!(ask(id, "unlock").json(), told(9, wrong[1], locked), "{what} again");
                }
                compared += 1;
            }
            for (word, id) in [("lock", unknown[0]), ("unlock", unknown[1])] {
                let answer = ask("gone", word);
                assert_eq!((answer.status, answer.json()), (404, told(5, id, gone)), "{version} {base} {word}");
                // To the old interface a user of another organization is not there.
                let far = ask("far", word);
                let found = base == new.0;
                let wanted = if found { details_of(&held(&world, "far")) } else { told(5, id, gone) };
                assert_eq!(
                    (far.status, far.json()),
                    (if found { 200 } else { 404 }, wanted),
                    "{version} {base} {word}"
                );
            }
        }
    }
    assert_eq!(compared, 25);
}

#[test]
fn a_locked_service_user_is_let_in_nowhere() {
    let world = world();
    done(&ask_as(&world, "manager", "GET", "/v2/users/jane", &Value::Null));
    done(&ask(&world, "POST", "/v2/users/manager/lock", &json!({})));
    let answer = ask_as(&world, "manager", "GET", "/v2/users/jane", &Value::Null);
    assert_eq!(short(&answer), no(401, 16, "AUTH-7fs1e"));
    done(&ask(&world, "POST", "/v2/users/manager/unlock", &json!({})));
    done(&ask_as(&world, "manager", "GET", "/v2/users/jane", &Value::Null));
}

#[test]
fn the_old_metadata_is_set_read_listed_and_deleted_in_every_version() {
    for version in VERSIONS {
        let world = world_of(version);
        let at = |rest: &str| format!("/management/v1/users/jane/metadata/{rest}");
        let set = done(&ask(&world, "POST", &at("source"), &json!({ "value": "aHI=" })));
        let jane = held(&world, "jane");
        assert_eq!(jane["metadata"], json!({ "source": "hr" }), "{version}");
        // What was set counts as created.
        let created = json!({ "sequence": "2", "creationDate": jane["changed"], "resourceOwner": "org1" });
        assert_eq!(set, json!({ "details": created }), "{version}");
        let shown = |key: &str, value: &str, sequence: &str, created: &Value, changed: &Value| {
            json!({
                "details": {
                    "sequence": sequence, "creationDate": created, "changeDate": changed, "resourceOwner": "org1",
                },
                "key": key, "value": value,
            })
        };
        let source = shown("source", "aHI=", "2", &jane["changed"], &jane["changed"]);
        assert_eq!(done(&ask(&world, "GET", &at("source"), &Value::Null)), json!({ "metadata": source }), "{version}");

        // Bytes that are no text, in the other alphabet and without padding.
        let many = json!({ "metadata": [{ "key": "raw/1", "value": "_w" }, { "key": "b", "value": "eQ==" }] });
        let answer = done(&ask(&world, "POST", &at("_bulk"), &many));
        let after = held(&world, "jane");
        assert_eq!(after["metadata"], json!({ "b": "y", "raw/1": { "base64": "/w==" }, "source": "hr" }), "{version}");
        assert_eq!(answer, details_of(&after), "{version}");
        let found = done(&ask(&world, "POST", &at("_search"), &json!({ "query": { "limit": 2 } })));
        let details = json!({ "totalResult": "3", "processedSequence": found["details"]["processedSequence"],
            "viewTimestamp": after["changed"] });
        assert_eq!(found["details"], details, "{version}");
        assert_eq!(found["result"].as_array().unwrap().len(), 2, "{version}");
        let one =
            json!({ "queries": [{ "keyQuery": { "key": "B", "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE" } }] });
        let one = done(&ask(&world, "POST", &at("_search"), &one));
        assert_eq!(one["result"], json!([shown("b", "eQ==", "4", &after["changed"], &after["changed"])]), "{version}");
        let none = json!({ "queries": [{ "keyQuery": { "key": "B" } }] });
        let none = done(&ask(&world, "POST", &at("_search"), &none));
        assert_eq!((&none["result"], &none["details"]["totalResult"]), (&Value::Null, &Value::Null), "{version}");

        // The same again: written anew before 4, a success all the same.
        let answer = done(&ask(&world, "POST", &at("_bulk"), &many));
        let again = held(&world, "jane");
        assert_eq!(answer, details_of(&again), "{version}");
        assert_eq!(again["sequence"], if version.starts_with('4') { 4 } else { 6 }, "{version}");
        assert_eq!(differences(&after, &again), json!({}), "{version}");

        assert_eq!(
            done(&ask(&world, "DELETE", &at("source"), &Value::Null)),
            details_of(&held(&world, "jane")),
            "{version}"
        );
        let answer = done(&ask(&world, "DELETE", &at("_bulk"), &json!({ "keys": ["raw/1", "b"] })));
        assert_eq!(answer, details_of(&held(&world, "jane")), "{version}");
        assert_eq!(held(&world, "jane")["metadata"], json!({}), "{version}");
    }
}

#[test]
fn the_old_metadata_refuses_what_is_not_there_and_changes_nothing() {
    let (unset, nobody) = ("Metadata could not be found", "User could not be found");
    for version in VERSIONS {
        let world = world_of(version);
        let value = json!({ "value": "eA==" });
        done(&ask(&world, "POST", "/management/v1/users/jane/metadata/a", &value));
        let before = world.state("zitadel");
        let entries = |key: &str, value: &str| json!({ "metadata": [{ "key": key, "value": value }] });
        let none = json!({});
        let long = "k".repeat(201);
        let bare = |message: &str| json!({ "code": 3, "message": message });
        for (method, path, body, status, wanted) in [
            ("POST", "gone/metadata/a", value.clone(), 400, told(9, "COMMAND-uXHNj", nobody)),
            ("POST", "far/metadata/a", value.clone(), 400, told(9, "COMMAND-uXHNj", nobody)),
            ("POST", "gone/metadata/_bulk", entries("a", "eA=="), 400, told(9, "COMMAND-uXHNj", nobody)),
            ("DELETE", "gone/metadata/a", Value::Null, 400, told(9, "COMMAND-uXHNj", nobody)),
            ("DELETE", "far/metadata/_bulk", json!({ "keys": ["a"] }), 400, told(9, "COMMAND-uXHNj", nobody)),
            ("GET", "gone/metadata/a", Value::Null, 404, told(5, "QUERY-Rgh32", unset)),
            ("GET", "far/metadata/a", Value::Null, 404, told(5, "QUERY-Rgh32", unset)),
            ("GET", "jane/metadata/c", Value::Null, 404, told(5, "QUERY-Rgh32", unset)),
            ("DELETE", "jane/metadata/c", Value::Null, 404, told(5, "META-ncnw3", unset)),
            ("DELETE", "jane/metadata/_bulk", json!({ "keys": ["a", "c"] }), 404, told(5, "META-2nnds", unset)),
            ("DELETE", "jane/metadata/_bulk", none.clone(), 400, told(9, "META-9mm2d", "No metadata given")),
            ("POST", "jane/metadata/_bulk", none.clone(), 400, told(9, "META-9mm2d", "No metadata given")),
            (
                "POST",
                "jane/metadata/a",
                none,
                400,
                bare(
                    "invalid SetUserMetadataRequest.Value: value length must be between 1 and 500000 bytes, inclusive",
                ),
            ),
            (
                "POST",
                "jane/metadata/_bulk",
                entries("", "eA=="),
                400,
                bare(
                    "invalid BulkSetUserMetadataRequest.Metadata[0]: embedded message failed validation | caused by: invalid \
                     BulkSetUserMetadataRequest_Metadata.Key: value length must be between 1 and 200 runes, inclusive",
                ),
            ),
            (
                "DELETE",
                "jane/metadata/_bulk",
                json!({ "keys": [long] }),
                400,
                bare(
                    "invalid BulkRemoveUserMetadataRequest.Keys[0]: value length must be between 1 and 200 runes, inclusive",
                ),
            ),
            // The gateway resolves escapes first: such a key has no address of its own.
            ("DELETE", "jane/metadata/a%2Fb", Value::Null, 404, json!({ "code": 5, "message": "Not Found" })),
            ("GET", "jane/metadata/:a", Value::Null, 404, json!({ "code": 5, "message": "Not Found" })),
        ] {
            let answer = ask(&world, method, &format!("/management/v1/users/{path}"), &body);
            assert_eq!((answer.status, answer.json()), (status, wanted), "{version} {method} {path} {body}");
        }
        for (token, id) in [("viewer", no(403, 7, "AUTH-5mWD2")), ("nobody", no(404, 5, "AUTHZ-cdgFk"))] {
            let path = "/management/v1/users/jane/metadata/a";
            assert_eq!(short(&ask_as(&world, token, "POST", path, &value)), id, "{version} {token}");
            assert_eq!(short(&ask_as(&world, token, "DELETE", path, &Value::Null)), id, "{version} {token}");
        }
        assert_eq!(world.state("zitadel"), before, "{version}");
        let seen = ask_as(&world, "viewer", "GET", "/management/v1/users/jane/metadata/a", &Value::Null);
        assert_eq!(seen.status, 200, "{version}");
    }
}

#[test]
fn metadata_in_the_new_interface_came_with_4() {
    for version in ["3.2.1", "2.71.0"] {
        let world = world_of(version);
        let path = "/v2/users/jane/metadata";
        for (method, path) in [
            ("POST", path.to_owned()),
            ("POST", format!("{path}/search")),
            ("DELETE", format!("{path}?keys=a")),
            ("POST", "/zitadel.user.v2.UserService/DeleteUserMetadata".to_owned()),
        ] {
            let answer = ask(&world, method, &path, &json!({}));
            let not_found = json!({ "code": 5, "message": "Not Found" });
            assert_eq!((answer.status, answer.json()), (404, not_found), "{version} {method} {path}");
        }
    }
}

#[test]
fn metadata_is_set_searched_and_deleted_by_connect_too() {
    let world = world();
    let call = |name: &str, body: Value| ask(&world, "POST", &format!("/zitadel.user.v2.UserService/{name}"), &body);
    let entries = json!([{ "key": "a", "value": "eA==" }, { "key": "b", "value": "eQ==" }]);
    let set = done(&call("SetUserMetadata", json!({ "userId": "jane", "metadata": entries })));
    let jane = held(&world, "jane");
    assert_eq!(set, json!({ "setDate": jane["changed"] }));
    // The newest first, unless it is asked otherwise.
    let list = |body: Value| done(&call("ListUserMetadata", body));
    let keys = |found: &Value| {
        found["metadata"].as_array().unwrap().iter().map(|entry| entry["key"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&list(json!({ "userId": "jane" }))), ["b", "a"]);
    assert_eq!(keys(&list(json!({ "userId": "jane", "pagination": { "asc": true } }))), ["a", "b"]);
    assert_eq!(
        list(json!({ "userId": "jane", "filters": [{ "keyFilter": { "key": "b" } }] })),
        json!({
            "pagination": { "totalResult": "1", "appliedLimit": "100" },
            "metadata": [{
                "key": "b", "value": "eQ==", "creationDate": jane["changed"], "changeDate": jane["changed"],
            }],
        })
    );
    // What is not there, and what may not be seen.
    let none = json!({ "pagination": { "appliedLimit": "100" } });
    assert_eq!(list(json!({ "userId": "gone" })), none);
    let path = "/v2/users/jane/metadata/search";
    assert_eq!(done(&ask_as(&world, "nobody", "POST", path, &json!({}))), none);
    assert_eq!(keys(&done(&ask_as(&world, "jane", "POST", path, &json!({})))), ["b", "a"]);
    let missing = call("DeleteUserMetadata", json!({ "userId": "jane", "keys": ["a", "c"] }));
    let text = "Metadata could not be found";
    assert_eq!(
        (missing.status, missing.json()),
        (
            404,
            json!({ "code": "not_found", "message": format!("{text} (META-2nnds)"), "details": [{
                "type": "zitadel.v1.ErrorDetail", "value": missing.json()["details"][0]["value"],
                "debug": { "id": "META-2nnds", "message": text },
            }] })
        )
    );
    assert_eq!(held(&world, "jane"), jane);
    let deleted = done(&call("DeleteUserMetadata", json!({ "userId": "jane", "keys": ["a"] })));
    let after = held(&world, "jane");
    assert_eq!((deleted, &after["metadata"]), (json!({ "deletionDate": after["changed"] }), &json!({ "b": "y" })));
}

#[test]
fn metadata_may_be_there_from_the_start_and_be_changed_behind_our_back() {
    let mut seed = seed();
    seed["users"][0]["metadata"] = json!({ "source": "hr", "raw": { "base64": "/wA=" } });
    seed["users"][6]["metadata"] = json!({ "team": "ops" });
    let world = World::with_lab_of("zitadel", &seed);
    assert_eq!(held(&world, "jane")["metadata"], json!({ "raw": { "base64": "/wA=" }, "source": "hr" }));
    assert_eq!(held(&world, "bot")["metadata"], json!({ "team": "ops" }));
    let found = done(&ask(&world, "POST", "/v2/users/jane/metadata/search", &json!({})));
    assert_eq!(found["pagination"]["totalResult"], "2");
    let before = held(&world, "jane");
    world.lab("zitadel", "POST", "meddle/jane", &json!({ "metadata": { "source": "website" } }));
    assert_eq!(differences(&before, &held(&world, "jane")), json!({ "metadata": { "source": "website" } }));
    for wrong in [json!({ "source": 1 }), json!({ "source": "" }), json!({ "source": { "base64": "?" } })] {
        let answer = world.ask("zitadel", "POST", "/_lab/meddle/jane", &[], &json!({ "metadata": wrong }));
        assert_eq!(answer.status, 400);
        assert!(answer.text.contains("metadata `source`: neither a text nor"), "{}", answer.text);
    }
}

#[test]
fn links_are_added_listed_and_removed() {
    let world = world();
    let link = json!({ "idpId": "gitlab", "userId": "42", "userName": "jane" });
    done(&ask(&world, "POST", "/v2/users/jane/links", &json!({ "idpLink": link })));
    let listed = done(&ask(&world, "POST", "/v2/users/jane/links/_search", &json!({})));
    assert_eq!((&listed["result"], &listed["details"]["totalResult"]), (&json!([link]), &json!("1")));
    done(&ask(&world, "DELETE", "/v2/users/jane/links/gitlab/42", &Value::Null));
    assert_eq!(done(&ask(&world, "POST", "/v2/users/jane/links/_search", &json!({})))["result"], Value::Null);
    assert_eq!(ask(&world, "DELETE", "/v2/users/jane/links/gitlab/42", &Value::Null).status, 404);
}

#[test]
fn only_an_active_human_signs_in() {
    let world = world();
    let login = |user: &str| world.ask("zitadel", "POST", &format!("/_lab/login/{user}"), &[], &Value::Null).status;
    for (user, status) in
        [("jane", 200), ("JOE", 200), ("ina", 400), ("lou", 400), ("new", 400), ("bot", 400), ("gone", 400)]
    {
        assert_eq!(login(user), status, "{user}");
    }
}

// 8. Permissions.

#[test]
fn a_missing_permission_is_403_and_a_missing_membership_404() {
    let world = world();
    let update = json!({ "human": { "profile": { "givenName": "X" } } });
    let rename = json!({ "userName": "x" });
    let cases = [
        ("viewer", "PATCH", "/v2/users/jane", update.clone(), no(403, 7, "AUTH-AWfge")),
        ("nobody", "PATCH", "/v2/users/jane", update.clone(), no(404, 5, "AUTHZ-cdgFk")),
        ("manager", "PATCH", "/v2/users/far", update, no(404, 5, "AUTHZ-cdgFk")),
        ("nobody", "GET", "/v2/users/jane", Value::Null, no(404, 5, "AUTHZ-cdgFk")),
        ("viewer", "PUT", "/management/v1/users/jane/username", rename.clone(), no(403, 7, "AUTH-5mWD2")),
        ("nobody", "PUT", "/management/v1/users/jane/username", rename, no(404, 5, "AUTHZ-cdgFk")),
    ];
    for (token, method, path, body, wanted) in cases {
        assert_eq!(short(&ask_as(&world, token, method, path, &body)), wanted, "{token} {path}");
    }
    let told = ask_as(&world, "nobody", "GET", "/v2/users/jane", &Value::Null);
    assert_eq!(refusal(&told).3, "membership not found (AUTHZ-cdgFk)");
    let own = ask_as(&world, "nobody", "GET", "/v2/users/nobody", &Value::Null);
    assert_eq!(own.status, 200);
}

// 10. Consistency and limits.

#[test]
fn a_list_lags_behind_and_a_read_by_id_brings_it_up_to_date() {
    let world = world();
    world.lab("zitadel", "POST", "settings", &json!({ "projection_lag": 2 }));
    let names = || {
        let body = json!({ "queries": [{ "inUserIdsQuery": { "userIds": ["jane"] } }] });
        done(&ask(&world, "POST", "/v2/users", &body))["result"][0]["username"].clone()
    };
    done(&patch(&world, "jane", &json!({ "username": "janet", "human": {} })));
    assert_eq!((names(), names(), names()), (json!("jane"), json!("jane"), json!("janet")));
    done(&patch(&world, "jane", &json!({ "username": "jane", "human": {} })));
    assert_eq!(names(), "janet");
    assert_eq!(done(&ask(&world, "GET", "/v2/users/jane", &Value::Null))["user"]["username"], "jane");
    assert_eq!(names(), "jane");
    done(&ask(&world, "DELETE", "/v2/users/jane", &Value::Null));
    assert_eq!((names(), names(), names()), (json!("jane"), json!("jane"), Value::Null));
}

#[test]
fn an_exhausted_quota_is_429_without_a_time_to_wait() {
    let world = world();
    world.lab("zitadel", "POST", "settings", &json!({ "quota": 1 }));
    assert_eq!(ask(&world, "GET", "/v2/users/jane", &Value::Null).status, 200);
    let answer = ask(&world, "GET", "/v2/users/jane", &Value::Null);
    assert_eq!(short(&answer), no(429, 8, "QUOTA-vjAy8"));
    assert!(!answer.headers.contains_key("retry-after"));
    assert!(answer.headers["set-cookie"].starts_with("zitadel.quota.exhausted"));
    let rpc = ask(&world, "POST", "/zitadel.user.v2.UserService/GetUserByID", &json!({ "userId": "jane" }));
    assert_eq!((rpc.status, &rpc.json()["code"]), (429, &json!("resource_exhausted")));
    world.lab("zitadel", "POST", "settings", &json!({ "quota": null, "blocked": true }));
    assert_eq!(short(&ask(&world, "GET", "/v2/users/jane", &Value::Null)), no(429, 8, "LIMITS-molsj"));
    world.lab("zitadel", "POST", "settings", &json!({ "blocked": false }));
    assert_eq!(ask(&world, "GET", "/v2/users/jane", &Value::Null).status, 200);
}

#[test]
fn health_needs_no_token() {
    let world = world();
    let health = |path: &str| {
        let answer = world.ask("zitadel", "GET", path, &[("Authorization", "")], &Value::Null);
        (answer.status, answer.text)
    };
    assert_eq!(health("/debug/healthz"), (200, "ok".to_owned()));
    assert_eq!(health("/debug/ready"), (200, "\"ok\"".to_owned()));
    assert_eq!(health("/debug/validate").0, 200);
}

#[test]
fn a_colleague_changes_a_user_behind_our_back() {
    let world = world();
    let before = held(&world, "jane");
    world.lab("zitadel", "POST", "meddle/jane", &json!({ "username": "janet", "email": "j@example.org" }));
    assert_eq!(differences(&before, &held(&world, "jane")), json!({ "username": "janet", "email": "j@example.org" }));
    let wrong = world.ask("zitadel", "POST", "/_lab/meddle/joe", &[], &json!({ "user_name": "x" }));
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("unknown field `user_name`"), "{}", wrong.text);
}
