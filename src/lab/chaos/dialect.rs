//! In whose words a fault is told: each provider has its own.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

/// The words of one kind of provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Discourse,
    Gitlab,
    Mattermost,
    Nextcloud,
    Scim,
    Wordpress,
    Zitadel,
    /// Of a provider that nobody wrote down.
    Unknown,
}

/// What is said: a status, headers, and a body under its content type.
pub(super) struct Words {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) kind: &'static str,
    pub(super) body: String,
}

impl Words {
    fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), kind: "application/json", body: body.to_string() }
    }

    /// A no of a SCIM server (RFC 7644 3.12).
    fn scim(status: u16, detail: &str) -> Self {
        let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
        let body = json!({ "schemas": [schema], "detail": detail, "status": status.to_string() });
        Self { kind: "application/scim+json", ..Self::json(status, &body) }
    }

    fn text(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), kind: "text/plain; charset=utf-8", body: body.to_owned() }
    }

    /// A proxy's page.
    pub(super) fn page(status: u16) -> Self {
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("?");
        let title = if status == 200 { "Sign in to the network".to_owned() } else { format!("{status} {reason}") };
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>\
             nginx</center>\r\n</body>\r\n</html>\r\n"
        );
        Self { status, headers: Vec::new(), kind: "text/html", body }
    }

    fn with(mut self, headers: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }
}

impl Dialect {
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            "discourse" => Self::Discourse,
            "gitlab" => Self::Gitlab,
            "mattermost" => Self::Mattermost,
            "nextcloud" => Self::Nextcloud,
            "scim" => Self::Scim,
            "wordpress" => Self::Wordpress,
            "zitadel" => Self::Zitadel,
            _ => Self::Unknown,
        }
    }

    /// True where a request only asks, though some questions are sent with POST.
    pub(super) fn is_question(self, method: &Method, path: &str) -> bool {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return true;
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        *method == Method::POST
            && match self {
                Self::Mattermost => matches!(last, "ids" | "usernames" | "search"),
                Self::Zitadel => {
                    let is_procedure =
                        path.starts_with("/zitadel.") && (last.starts_with("Get") || last.starts_with("List"));
                    is_procedure
                        || path == "/v2/users"
                        || path == "/oauth/v2/token"
                        || matches!(last, "_search" | "search")
                }
                Self::Scim => last == ".search",
                Self::Discourse | Self::Gitlab | Self::Nextcloud | Self::Wordpress | Self::Unknown => false,
            }
    }

    /// Too many requests (`mattermost.md` 1.5, `gitlab.md` 1.4, `zitadel.md` 10, `nextcloud.md` 6; RFC 7644 leaves it to HTTP; `wordpress.md` knows no
    /// limit, so there it is a proxy's page). `now` is Unix time in seconds.
    pub(super) fn rate_limited(self, path: &str, retry_after: u64, now: u64) -> Words {
        let after = ("Retry-After", retry_after.to_string());
        match self {
            Self::Mattermost => Words::text(429, "limit exceeded\n").with([
                ("X-Ratelimit-Limit", "101".to_owned()),
                ("X-Ratelimit-Remaining", "0".to_owned()),
                // From now, where GitLab gives a moment.
                ("X-Ratelimit-Reset", (retry_after + 10).to_string()),
                after,
            ]),
            Self::Gitlab => {
                let reset = now + retry_after;
                let moment = i64::try_from(reset).ok().and_then(|reset| jiff::Timestamp::from_second(reset).ok());
                let date = moment.unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                let mut words = Words::text(429, "Retry later").with([
                    ("RateLimit-Name", "throttle_authenticated_api".to_owned()),
                    ("RateLimit-Limit", "30".to_owned()),
                    ("RateLimit-Observed", "301".to_owned()),
                    ("RateLimit-Remaining", "0".to_owned()),
                    ("RateLimit-Reset", reset.to_string()),
                    ("RateLimit-ResetTime", date),
                    after,
                ]);
                words.kind = "text/plain";
                words
            }
            Self::Zitadel => {
                let said = "Quota for authenticated requests is exhausted";
                let words = Self::grpc(path, 8, "resource_exhausted", 429, said, Some("QUOTA-vjAy8"));
                let cookie = "zitadel.quota.exhausted=true; Path=/; Max-Age=300";
                words.with([("Set-Cookie", cookie.to_owned())])
            }
            // An empty body, and no word of how long.
            Self::Nextcloud => Words { kind: "text/html; charset=UTF-8", ..Words::text(429, "") },
            Self::Scim => Words::scim(429, "Too many requests.").with([after]),
            Self::Discourse => {
                let left = format!("{retry_after} seconds");
                let told =
                    format!("You’ve performed this action too many times. Please wait {left} before trying again.");
                let extras = json!({ "wait_seconds": retry_after, "time_left": left });
                let body = json!({ "errors": [told], "error_type": "rate_limit", "extras": extras });
                let code = ("Discourse-Rate-Limit-Error-Code", "admin_api_key_rate_limit".to_owned());
                Words::json(429, &body).with([code, after])
            }
            Self::Wordpress | Self::Unknown => Words::page(429).with([after]),
        }
    }

    /// The provider itself fails: 500 or 503 (`mattermost.md` 1.3, `gitlab.md` 1.2, `zitadel.md` 3, `nextcloud.md` 2,
    /// `wordpress.md` 5).
    pub(super) fn fails(self, path: &str, status: u16) -> Words {
        let busy = status == 503;
        match self {
            Self::Mattermost => {
                let (id, message) = if busy {
                    let message = "Server is busy, non-critical services are temporarily unavailable.";
                    ("api.context.server_busy.app_error", message)
                } else {
                    ("app.user.update.finding.app_error", "We encountered an error finding the account.")
                };
                let error = json!({ "id": id, "message": message, "detailed_error": "",
                    "request_id": "chaoschaoschaoschaoschaosc", "status_code": status });
                Words::json(status, &error)
            }
            Self::Discourse if busy => {
                let said = "The site is in read only mode. Interactions are disabled.";
                Words::json(status, &json!({ "errors": [said], "error_type": "read_only" }))
            }
            Self::Gitlab | Self::Scim if busy => Words::page(status),
            Self::Gitlab => Words::json(status, &json!({ "message": "500 Internal Server Error" })),
            Self::Zitadel if busy => Self::grpc(path, 14, "unavailable", status, "connection refused", None),
            Self::Zitadel => Self::grpc(path, 13, "internal", status, "An internal error occurred", Some("SQL-KJs82")),
            Self::Nextcloud if busy => {
                let words = Self::ocs(503, 503, "Service unavailable");
                words.with([("X-Nextcloud-Maintenance-Mode", "1".to_owned())])
            }
            Self::Nextcloud => Self::ocs(500, 996, "Internal Server Error"),
            Self::Wordpress => {
                let message = "There has been a critical error on this website.";
                let data = json!({ "status": status });
                Words::json(status, &json!({ "code": "internal_server_error", "message": message, "data": data }))
            }
            Self::Scim => Words::scim(status, "An internal error occurred."),
            Self::Discourse | Self::Unknown => Words::page(status),
        }
    }

    /// The token has expired (`mattermost.md` 1.1, `gitlab.md` 1.2, `zitadel.md` 1, `nextcloud.md` 2, `wordpress.md` 3, RFC 7644 3.12).
    pub(super) fn expired(self, path: &str) -> Words {
        match self {
            Self::Mattermost => {
                let message = "Invalid or expired session, please login again.";
                let error = json!({ "id": "api.context.session_expired.app_error", "message": message,
                    "detailed_error": "", "request_id": "chaoschaoschaoschaoschaosc", "status_code": 401 });
                Words::json(401, &error)
            }
            // An expired key is one that nobody knows: 404 where admins are, else 403 (`discourse.md` 1).
            Self::Discourse if path.starts_with("/admin/") => {
                let said = "The requested URL or resource could not be found.";
                Words::json(404, &json!({ "errors": [said], "error_type": "not_found" }))
            }
            Self::Discourse => {
                let said = "You are not permitted to view the requested resource. The API username or key is invalid.";
                Words::json(403, &json!({ "errors": [said], "error_type": "invalid_access" }))
            }
            Self::Gitlab => {
                let said = "Token is expired. You can either do re-authorization or token refresh.";
                Words::json(401, &json!({ "error": "invalid_token", "error_description": said }))
            }
            Self::Zitadel => Self::grpc(path, 16, "unauthenticated", 401, "Token is expired", Some("AUTH-7fs1e")),
            Self::Nextcloud => {
                let realm = "Basic realm=\"Authorisation Required\"".to_owned();
                Self::ocs(401, 997, "Unauthorised").with([("WWW-Authenticate", realm)])
            }
            Self::Wordpress => {
                let said = "You are not currently logged in.";
                let data = json!({ "status": 401 });
                Words::json(401, &json!({ "code": "rest_not_logged_in", "message": said, "data": data }))
            }
            Self::Scim => Words::scim(401, "The access token has expired."),
            Self::Unknown => Words::text(401, "Unauthorized"),
        }
    }

    /// A no in an envelope.
    fn ocs(status: u16, code: u16, message: &str) -> Words {
        let meta = json!({ "status": "failure", "statuscode": code, "message": message });
        Words::json(status, &json!({ "ocs": { "meta": meta, "data": [] } }))
    }

    /// A no in the shape of the wire that was used: REST has numbers, Connect has words (`zitadel.md` 3).
    fn grpc(path: &str, code: u8, word: &str, status: u16, text: &str, id: Option<&str>) -> Words {
        let message = id.map_or_else(|| text.to_owned(), |id| format!("{text} ({id})"));
        let is_procedure = path.starts_with("/zitadel.");
        let code = if is_procedure { json!(word) } else { json!(code) };
        let mut body = json!({ "code": code, "message": message });
        if let Some(id) = id.filter(|_| !is_procedure) {
            let kind = "type.googleapis.com/zitadel.v1.ErrorDetail";
            body["details"] = json!([{ "@type": kind, "id": id, "message": text }]);
        }
        Words::json(status, &body)
    }

    /// Where the object that a write is about is shown; `None` where its answer shows none.
    pub(super) fn shown_at(self, path: &str) -> Option<String> {
        let parts: Vec<&str> = path.split('/').collect();
        match (self, parts.as_slice()) {
            (Self::Mattermost | Self::Gitlab, ["", "api", "v4", "users", id, ..])
            | (Self::Discourse, ["", "admin", "users", id, ..])
            | (Self::Wordpress, ["", "wp-json", "wp", "v2", "users", id, ..])
            | (Self::Scim, ["", "Users", id])
            | (Self::Nextcloud, ["", "ocs", _, "cloud", "users", id, ..]) => Some(self.user_at(id)),
            _ => None,
        }
    }

    /// Where one user is shown.
    pub(super) fn user_at(self, id: &str) -> String {
        match self {
            Self::Mattermost | Self::Gitlab => format!("/api/v4/users/{id}"),
            Self::Nextcloud => format!("/ocs/v2.php/cloud/users/{id}?format=json"),
            Self::Discourse => format!("/admin/users/{id}.json"),
            Self::Wordpress => format!("/wp-json/wp/v2/users/{id}?context=edit"),
            Self::Scim => format!("/Users/{id}"),
            Self::Zitadel => format!("/v2/users/{id}"),
            Self::Unknown => format!("/users/{id}"),
        }
    }

    /// What an account is that was never made, beside what was sent; `None` where nothing like that was asked for.
    pub(super) fn newcomer(self, path: &str) -> Option<Value> {
        match (self, path) {
            (Self::Mattermost, "/api/v4/users") => Some(json!({ "id": "nobodynobodynobodynobodyno", "delete_at": 0 })),
            (Self::Gitlab, "/api/v4/users") => Some(json!({ "id": 999_999_999, "state": "active" })),
            (Self::Wordpress, "/wp-json/wp/v2/users") => Some(json!({ "id": 999_999_999 })),
            (Self::Nextcloud, "/ocs/v2.php/cloud/users") => Some(json!({
                "ocs": { "meta": { "status": "ok", "statuscode": 200, "message": "OK" }, "data": { "id": "nobody" } },
            })),
            (Self::Scim, "/Users") => Some(json!({ "id": "00000000-dead-4000-8000-000000000000" })),
            (Self::Zitadel, "/v2/users/new") => {
                Some(json!({ "id": "999999999999999999", "creationDate": "2026-01-01T00:00:00Z" }))
            }
            _ => None,
        }
    }

    /// What a write is answered that shows no object.
    pub(super) fn yes(self) -> Value {
        match self {
            Self::Mattermost => json!({ "status": "OK" }),
            Self::Zitadel => {
                let details = json!({ "sequence": "2", "changeDate": "2026-01-01T00:00:00Z", "resourceOwner": "org1" });
                json!({ "details": details, "changeDate": "2026-01-01T00:00:00Z" })
            }
            Self::Nextcloud => {
                json!({ "ocs": { "meta": { "status": "ok", "statuscode": 200, "message": "OK" }, "data": [] } })
            }
            Self::Discourse => json!({ "success": "OK" }),
            Self::Gitlab | Self::Scim | Self::Wordpress | Self::Unknown => json!(true),
        }
    }
}
