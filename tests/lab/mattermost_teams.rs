//! The Mattermost simulator's teams, channels, messages and sessions, asked directly: `mattermost.md` 8, and what the
//! server's own code says where the contract is silent. Status and whole body compared, and what the state shows then.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use serde_json::{Value, json};

use crate::common::{Answer, World};

/// Status, id and message of a refusal.
type Refused = (u16, &'static str, &'static str);

const PERMISSIONS: Refused = (403, "api.context.permissions.app_error", "You do not have the appropriate permissions.");
const NO_TEAM: Refused = (404, "app.team.get_by_name.missing.app_error", "Unable to find the existing team.");
const NO_CHANNEL: Refused = (404, "app.channel.get_by_name.missing.app_error", "Channel does not exist.");
const NO_SEAT: Refused =
    (404, "app.team.get_member.missing.app_error", "No team member found for that user ID and team ID.");
const BODY: &str = "api.context.invalid_body_param.app_error";

/// A server with two teams, channels of every sort, and a token for an administrator and for a member.
struct Chat(World);

/// Somebody's id: the name, filled up with zeros.
fn id(name: &str) -> String {
    format!("{name:0<26}")
}

impl Chat {
    fn new() -> Self {
        let person = |name: &str, more: Value| {
            let mut user = json!({ "id": id(name), "username": name, "email": format!("{name}@example.com"),
                "password": "right-password" });
            for (key, value) in more.as_object().unwrap() {
                user[key] = value.clone();
            }
            user
        };
        let room = |name: &str, more: Value| {
            let mut room = json!({ "id": id(name), "name": name });
            for (key, value) in more.as_object().unwrap() {
                room[key] = value.clone();
            }
            room
        };
        let rooms = json!([
            room("room", json!({ "members": ["anna", "gast"] })),
            room("secret", json!({ "type": "P", "members": ["berta"] })),
            room("old", json!({ "delete_at": 1_700_000_000_000_i64, "members": ["anna"] })),
            room("ruled", json!({ "group_constrained": true, "members": ["berta"] })),
            room("direct", json!({ "type": "D" })),
        ]);
        let seed = json!({
            "users": [
                person("anna", json!({})),
                person("berta", json!({})),
                person("cora", json!({})),
                person("chef", json!({ "roles": "system_user system_admin" })),
                person("gast", json!({ "roles": "system_guest" })),
                person("dora", json!({ "delete_at": 1_700_000_000_000_i64 })),
                { "id": id("robot"), "username": "robot", "email": "robot@localhost", "is_bot": true, "bot_owner": "anna" },
            ],
            "tokens": [
                { "user": "chef", "token": "chef" },
                { "user": "anna", "token": "anna" },
                { "user": "anna", "kind": "session", "token": "anna-session" },
                { "user": "anna", "kind": "oauth", "token": "anna-oauth" },
                { "user": "cora", "token": "cora" },
            ],
            "teams": [
                { "id": id("crew"), "name": "crew", "members": ["anna", "berta", "gast", "dora"],
                  "allowed_domains": "example.com", "channels": rooms },
                { "id": id("synced"), "name": "synced", "group_constrained": true, "members": ["berta"] },
                { "id": id("gone"), "name": "gone", "delete_at": 1_700_000_000_000_i64 },
            ],
        });
        Self(World::with_lab_of("mattermost", &seed))
    }

    fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        self.0.ask("mattermost", method, &format!("/api/v4/{path}"), &[("Authorization", &bearer)], body)
    }

    fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(token, "GET", path, &Value::Null)
    }

    fn state(&self) -> Value {
        self.0.state("mattermost")
    }

    /// The members of a team, or of one of its channels, as the state shows them.
    fn members(&self, team: &str, channel: Option<&str>) -> Value {
        let team = &self.state()["teams"][team];
        channel.map_or(&team["members"], |channel| &team["channels"][channel]).clone()
    }
}

/// Every refusal has the same shape (1.3): an empty detail, the request's id as in the header, the status again.
#[track_caller]
fn refused(answer: &Answer, expected: Refused) {
    let (status, id, message) = expected;
    let body = json!({ "id": id, "message": message, "detailed_error": "", "request_id": answer.headers["x-request-id"],
        "status_code": status });
    assert_eq!((answer.status, answer.json()), (status, body));
}

#[track_caller]
fn says(answer: &Answer, status: u16, body: &Value) {
    assert_eq!((answer.status, &answer.json()), (status, body));
}

fn in_team(team: &str, user: &str) -> Value {
    json!({ "team_id": id(team), "user_id": id(user), "roles": "team_user", "delete_at": 0, "scheme_guest": false,
        "scheme_user": true, "scheme_admin": false, "explicit_roles": "" })
}

fn in_channel(channel: &str, user: &str) -> Value {
    json!({ "channel_id": id(channel), "user_id": id(user), "roles": "channel_user", "scheme_guest": false,
        "scheme_user": true, "scheme_admin": false, "explicit_roles": "" })
}

/// A guest's place: the same with other roles.
fn as_guest(of: &str, mut place: Value) -> Value {
    place["roles"] = format!("{of}_guest").into();
    place["scheme_guest"] = true.into();
    place["scheme_user"] = false.into();
    place
}

fn ids(names: &[&str]) -> Value {
    names.iter().map(|name| id(name)).collect()
}

#[test]
fn a_team_is_found_by_its_name_even_when_it_is_archived() {
    let chat = Chat::new();
    let team = chat.get("chef", "teams/name/gone").json();
    assert_eq!(team["id"], id("gone"));
    assert_eq!(team["delete_at"], 1_700_000_000_000_i64);
    assert_eq!(chat.get("chef", "teams/name/synced").json()["group_constrained"], true);
    assert_eq!(chat.get("anna", "teams/name/crew").json()["allowed_domains"], "example.com");
    refused(&chat.get("chef", "teams/name/nothing"), NO_TEAM);
    refused(&chat.get("anna", "teams/name/synced"), PERMISSIONS);
    for name in ["Crew", "c", "-crew", "crew-"] {
        let message = "Invalid or missing team_name parameter in request URL.";
        let expected = (400, "api.context.invalid_url_param.app_error", message);
        refused(&chat.get("chef", &format!("teams/name/{name}")), expected);
    }
}

#[test]
fn a_channel_is_found_by_two_names_unless_it_is_archived_or_hidden() {
    let chat = Chat::new();
    let path = |team: &str, channel: &str| format!("teams/name/{team}/channels/name/{channel}");
    let secret = json!({ "id": id("secret"), "team_id": id("crew"), "type": "P", "name": "secret", "display_name": "secret",
        "delete_at": 0, "group_constrained": false });
    says(&chat.get("chef", &path("crew", "secret")), 200, &secret);
    refused(&chat.get("anna", &path("crew", "secret")), NO_CHANNEL);
    assert_eq!(chat.get("anna", &path("crew", "ruled")).json()["group_constrained"], true);
    refused(&chat.get("cora", &path("crew", "room")), PERMISSIONS);
    refused(&chat.get("chef", &path("crew", "nothing")), NO_CHANNEL);
    refused(&chat.get("chef", &path("nothing", "room")), NO_TEAM);
    refused(&chat.get("chef", &path("crew", "old")), NO_CHANNEL);
    let old = chat.get("chef", &format!("{}?include_deleted=true", path("crew", "old"))).json();
    assert_eq!(old["delete_at"], 1_700_000_000_000_i64);
}

#[test]
fn members_are_asked_for_by_their_ids_and_who_is_none_is_left_out() {
    let chat = Chat::new();
    let ask = |token: &str, path: &str, names: &[&str]| chat.ask(token, "POST", path, &ids(names));
    let team = format!("teams/{}/members/ids", id("crew"));
    let guest = as_guest("team", in_team("crew", "gast"));
    says(&ask("chef", &team, &["anna", "cora", "gast"]), 200, &json!([in_team("crew", "anna"), guest]));
    let nowhere = format!("teams/{}/members/ids", id("nowhere"));
    says(&ask("chef", &nowhere, &["anna"]), 200, &json!([]));
    refused(&ask("cora", &team, &["anna"]), PERMISSIONS);
    refused(&ask("chef", &team, &[]), (400, BODY, "Invalid or missing user_ids in request body."));

    let channel = |name: &str| format!("channels/{}/members/ids", id(name));
    let guest = as_guest("channel", in_channel("room", "gast"));
    let answer = ask("chef", &channel("room"), &["anna", "berta", "gast"]);
    says(&answer, 200, &json!([in_channel("room", "anna"), guest]));
    refused(&ask("anna", &channel("secret"), &["berta"]), PERMISSIONS);
    refused(&ask("chef", &channel("nowhere"), &["anna"]), PERMISSIONS);
    refused(&ask("chef", &channel("room"), &[]), (400, BODY, "Invalid or missing user_ids in request body."));
    let all = chat.get("chef", &format!("channels/{}/members?per_page=1", id("room")));
    says(&all, 200, &json!([in_channel("room", "anna")]));
}

#[test]
fn the_teams_of_a_user_show_those_she_left() {
    let chat = Chat::new();
    let path = format!("users/{}/teams/members", id("berta"));
    says(&chat.get("chef", &path), 200, &json!([in_team("crew", "berta"), in_team("synced", "berta")]));
    let leave = format!("teams/{}/members/{}", id("crew"), id("berta"));
    says(&chat.ask("chef", "DELETE", &leave, &Value::Null), 200, &json!({ "status": "OK" }));
    let left = chat.get("chef", &path).json();
    let mut expected = in_team("crew", "berta");
    expected["delete_at"] = left[0]["delete_at"].clone();
    assert!(left[0]["delete_at"].as_i64() > Some(0));
    assert_eq!(left, json!([expected, in_team("synced", "berta")]));
    // With the team she left its channels.
    assert_eq!(chat.members("crew", Some("secret")), json!([]));
    refused(&chat.get("anna", &path), PERMISSIONS);
}

#[test]
fn who_joins_a_team_joins_its_default_channels_but_a_guest_does_not() {
    let chat = Chat::new();
    chat.0.lab("mattermost", "POST", "meddle/cora", &json!({ "roles": "system_guest" }));
    let join = |user: &str| {
        let body = json!({ "team_id": id("crew"), "user_id": id(user) });
        chat.ask("chef", "POST", &format!("teams/{}/members", id("crew")), &body)
    };
    says(&join("cora"), 201, &as_guest("team", in_team("crew", "cora")));
    // Bots are asked for no domain.
    says(&join("robot"), 201, &in_team("crew", "robot"));
    let expected = ["anna", "berta", "dora", "robot"];
    assert_eq!(chat.members("crew", Some("town-square")), ids(&expected));
    refused(&join("nobody"), (404, "app.user.missing_account.const", "Unable to find the user."));
}

#[test]
fn somebody_deactivated_joins_a_team_and_no_channel() {
    let chat = Chat::new();
    chat.0.lab("mattermost", "POST", "meddle/cora", &json!({ "delete_at": 1_700_000_000_000_i64 }));
    let body = json!({ "team_id": id("crew"), "user_id": id("cora") });
    let joined = chat.ask("chef", "POST", &format!("teams/{}/members", id("crew")), &body);
    says(&joined, 201, &in_team("crew", "cora"));
    let path = format!("channels/{}/members", id("room"));
    let refusal = chat.ask("chef", "POST", &path, &json!({ "user_id": id("cora") }));
    let message = "The user is deactivated and cannot be added.";
    refused(&refusal, (403, "app.channel.add_member.deleted_user.app_error", message));
}

#[test]
fn the_domains_of_a_team_are_asked_before_whether_somebody_is_in_it() {
    let chat = Chat::new();
    chat.0.lab("mattermost", "POST", "meddle/anna", &json!({ "email": "anna@elsewhere.example" }));
    let body = json!({ "team_id": id("crew"), "user_id": id("anna") });
    let refusal = chat.ask("chef", "POST", &format!("teams/{}/members", id("crew")), &body);
    let message = "The user's address is in none of the domains of the team.";
    refused(&refusal, (400, "api.team.join_user_to_team.allowed_domains.app_error", message));
}

#[test]
fn who_was_in_the_team_and_left_it_cannot_join_its_channels() {
    let chat = Chat::new();
    let channel = format!("channels/{}/members", id("room"));
    let join = |user: &str| chat.ask("chef", "POST", &channel, &json!({ "user_id": id(user) }));
    says(&join("berta"), 201, &in_channel("room", "berta"));
    says(&join("berta"), 201, &in_channel("room", "berta"));
    refused(&join("cora"), NO_SEAT);
    chat.ask("chef", "DELETE", &format!("teams/{}/members/{}", id("crew"), id("berta")), &Value::Null);
    let message = "The user has left the team of this channel.";
    refused(&join("berta"), (400, "api.channel.add_user.to.channel.failed.deleted.app_error", message));
}

#[test]
fn groups_decide_about_their_channels() {
    let chat = Chat::new();
    let path = format!("channels/{}/members", id("ruled"));
    let message = "The user cannot be added because the channel is managed by groups.";
    let refusal = chat.ask("chef", "POST", &path, &json!({ "user_id": id("anna") }));
    refused(&refusal, (400, "api.channel.add_members.user_denied", message));
    let message = "Unable to remove a user from a group-constrained channel.";
    let refusal = chat.ask("chef", "DELETE", &format!("{path}/{}", id("berta")), &Value::Null);
    refused(&refusal, (400, "api.channel.remove_member.group_constrained.app_error", message));
    assert_eq!(chat.members("crew", Some("ruled")), ids(&["berta"]));
}

#[test]
fn a_guest_who_leaves_her_last_channel_leaves_the_team() {
    let chat = Chat::new();
    let leave =
        |user: &str| chat.ask("chef", "DELETE", &format!("channels/{}/members/{}", id("room"), id(user)), &Value::Null);
    says(&leave("gast"), 200, &json!({ "status": "OK" }));
    assert_eq!(chat.members("crew", None), ids(&["anna", "berta", "dora"]));
    says(&leave("anna"), 200, &json!({ "status": "OK" }));
    assert_eq!(chat.members("crew", None), ids(&["anna", "berta", "dora"]));
    let message = "No channel member found for that user ID and channel ID.";
    refused(&leave("anna"), (404, "app.channel.get_member.missing.app_error", message));
}

#[test]
fn only_who_is_in_a_channel_looks_after_its_members() {
    let chat = Chat::new();
    let path = format!("channels/{}/members", id("secret"));
    refused(&chat.ask("anna", "POST", &path, &json!({ "user_id": id("anna") })), PERMISSIONS);
    refused(&chat.ask("anna", "DELETE", &format!("{path}/{}", id("berta")), &Value::Null), PERMISSIONS);
    // An open channel of her team she may join herself.
    let square = chat.get("anna", "teams/name/crew/channels/name/town-square").json();
    let off = chat.get("anna", "teams/name/crew/channels/name/off-topic").json();
    let off = format!("channels/{}/members", off["id"].as_str().unwrap());
    says(&chat.ask("anna", "DELETE", &format!("{off}/{}", id("anna")), &Value::Null), 200, &json!({ "status": "OK" }));
    assert_eq!(chat.ask("anna", "POST", &off, &json!({ "user_id": id("anna") })).status, 201);
    let leave = format!("channels/{}/members/{}", square["id"].as_str().unwrap(), id("anna"));
    let message = "Unable to remove user from the default channel.";
    refused(&chat.ask("anna", "DELETE", &leave, &Value::Null), (400, "api.channel.remove.default.app_error", message));
    let direct = format!("channels/{}/members/{}", id("direct"), id("anna"));
    let message = "Unable to remove user from this channel type.";
    let expected = (400, "api.channel.remove_channel_member.type.app_error", message);
    refused(&chat.ask("chef", "DELETE", &direct, &Value::Null), expected);
}

// Messages

#[test]
fn a_message_is_answered_whole_and_kept() {
    let chat = Chat::new();
    let wanted = json!({ "channel_id": id("secret"), "message": "Hello, Cörä!", "pending_post_id": "mine" });
    let answer = chat.ask("chef", "POST", "posts", &wanted);
    let body = answer.json();
    let expected = json!({ "id": body["id"], "create_at": body["create_at"], "update_at": body["create_at"], "edit_at": 0,
        "delete_at": 0, "is_pinned": false, "user_id": id("chef"), "channel_id": id("secret"), "root_id": "",
        "original_id": "", "message": "Hello, Cörä!", "type": "", "props": {}, "hashtags": "", "pending_post_id": "mine",
        "reply_count": 0, "last_reply_at": 0, "participants": null, "metadata": {} });
    assert_eq!((answer.status, &body), (201, &expected));
    assert_eq!(body["id"].as_str().unwrap().len(), 26);
    // A second one with the same words is a second one.
    assert_eq!(chat.ask("anna", "POST", "posts", &json!({ "channel_id": id("room"), "message": "Hi" })).status, 201);
    let posts = chat.state()["posts"].clone();
    let shown = json!([
        { "id": body["id"], "channel": "crew/secret", "user": "chef", "message": "Hello, Cörä!" },
        { "id": posts[1]["id"], "channel": "crew/room", "user": "anna", "message": "Hi" },
    ]);
    assert_eq!(posts, shown);
}

#[test]
fn a_message_needs_a_channel_that_takes_it() {
    let chat = Chat::new();
    let post = |token: &str, body: Value| chat.ask(token, "POST", "posts", &body);
    let into = |channel: &str| json!({ "channel_id": id(channel), "message": "Hi" });
    refused(&post("chef", into("nowhere")), PERMISSIONS);
    refused(&post("chef", json!({ "message": "Hi" })), PERMISSIONS);
    refused(&post("anna", into("secret")), PERMISSIONS);
    refused(&post("chef", json!([])), (400, BODY, "Invalid or missing post in request body."));
    let message = "Can not post to deleted channel.";
    refused(&post("chef", into("old")), (400, "api.post.create_post.can_not_post_to_deleted.error", message));
    let with = |name: &str, value: &str| {
        let mut body = into("room");
        body[name] = value.into();
        body
    };
    let expected = (400, "api.post.create_post.root_id.app_error", "Invalid RootId parameter.");
    refused(&post("chef", with("root_id", &id("nothing"))), expected);
    let expected = (400, BODY, "Invalid or missing post.type in request body.");
    refused(&post("chef", with("type", "system_join_channel")), expected);
    let message = "Post Message property is longer than the maximum permitted length.";
    let expected = (400, "model.post.is_valid.message_length.app_error", message);
    refused(&post("chef", with("message", &"ä".repeat(16_384))), expected);
    assert_eq!(post("chef", with("message", &"ä".repeat(16_383))).status, 201);
    assert_eq!(chat.state()["posts"].as_array().unwrap().len(), 1);
}

// Sessions

#[test]
fn revoking_ends_sessions_and_leaves_tokens() {
    let chat = Chat::new();
    let path = format!("users/{}/sessions", id("anna"));
    let listed = chat.get("chef", &path).json();
    let session = |at: usize, is_oauth: bool| {
        json!({ "id": listed[at]["id"], "token": "", "create_at": 0, "expires_at": 0, "last_activity_at": 0,
            "user_id": id("anna"), "device_id": "", "roles": "system_user", "is_oauth": is_oauth,
            "expired_notify": false, "props": {}, "team_members": [], "local": false })
    };
    assert_eq!(listed, json!([session(0, true), session(1, false)]));
    refused(&chat.get("cora", &path), PERMISSIONS);
    let revoke = |token: &str, user: &str| {
        chat.ask(token, "POST", &format!("users/{}/sessions/revoke/all", id(user)), &Value::Null)
    };
    refused(&revoke("cora", "anna"), PERMISSIONS);
    assert_eq!(chat.get("anna-session", "users/me").status, 200);
    says(&revoke("chef", "anna"), 200, &json!({ "status": "OK" }));
    says(&chat.get("chef", &path), 200, &json!([]));
    for (token, status) in [("anna-session", 401), ("anna-oauth", 401), ("anna", 200)] {
        assert_eq!(chat.get(token, "users/me").status, status, "{token}");
    }
    // Nobody looks whether there is such a user.
    says(&revoke("chef", "nobody"), 200, &json!({ "status": "OK" }));
}
