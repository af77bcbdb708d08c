//! The request messages the simulator understands, written from `zitadel.md` 4 to 7 field by field.
//!
//! Every member of the real message is here, so that what is ignored is what the real server ignores; only the recovery
//! codes of the old import are left out.

use super::message::{Field, Message};

const GENDERS: &[&str] = &["GENDER_UNSPECIFIED", "GENDER_FEMALE", "GENDER_MALE", "GENDER_DIVERSE"];
const TOKEN_TYPES: &[&str] = &["ACCESS_TOKEN_TYPE_BEARER", "ACCESS_TOKEN_TYPE_JWT"];
const TYPES: &[&str] = &["TYPE_UNSPECIFIED", "TYPE_HUMAN", "TYPE_MACHINE"];
const STATES: &[&str] = &[
    "USER_STATE_UNSPECIFIED",
    "USER_STATE_ACTIVE",
    "USER_STATE_INACTIVE",
    "USER_STATE_DELETED",
    "USER_STATE_LOCKED",
    "USER_STATE_INITIAL",
];
const OLD_STATES: &[&str] = &[
    "USER_STATE_UNSPECIFIED",
    "USER_STATE_ACTIVE",
    "USER_STATE_INACTIVE",
    "USER_STATE_DELETED",
    "USER_STATE_LOCKED",
    "USER_STATE_SUSPEND",
    "USER_STATE_INITIAL",
];
const COLUMNS: &[&str] = &[
    "USER_FIELD_NAME_UNSPECIFIED",
    "USER_FIELD_NAME_USER_NAME",
    "USER_FIELD_NAME_FIRST_NAME",
    "USER_FIELD_NAME_LAST_NAME",
    "USER_FIELD_NAME_NICK_NAME",
    "USER_FIELD_NAME_DISPLAY_NAME",
    "USER_FIELD_NAME_EMAIL",
    "USER_FIELD_NAME_STATE",
    "USER_FIELD_NAME_TYPE",
    "USER_FIELD_NAME_CREATION_DATE",
];
const METHODS: &[&str] = &[
    "TEXT_QUERY_METHOD_EQUALS",
    "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE",
    "TEXT_QUERY_METHOD_STARTS_WITH",
    "TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE",
    "TEXT_QUERY_METHOD_CONTAINS",
    "TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE",
    "TEXT_QUERY_METHOD_ENDS_WITH",
    "TEXT_QUERY_METHOD_ENDS_WITH_IGNORE_CASE",
];
const FILTERS: &[&str] = &[
    "TEXT_FILTER_METHOD_EQUALS",
    "TEXT_FILTER_METHOD_EQUALS_IGNORE_CASE",
    "TEXT_FILTER_METHOD_STARTS_WITH",
    "TEXT_FILTER_METHOD_STARTS_WITH_IGNORE_CASE",
    "TEXT_FILTER_METHOD_CONTAINS",
    "TEXT_FILTER_METHOD_CONTAINS_IGNORE_CASE",
    "TEXT_FILTER_METHOD_ENDS_WITH",
    "TEXT_FILTER_METHOD_ENDS_WITH_IGNORE_CASE",
];
const BYTE_FILTERS: &[&str] = &["BYTE_FILTER_METHOD_EQUALS", "BYTE_FILTER_METHOD_NOT_EQUALS"];

const USER_ID: Field = Field::text("userId").between(1, 200);
const ID: Field = Field::text("id").between(1, 200);

/// A message without oneofs that must be set.
const fn plain(name: &'static str, fields: &'static [Field]) -> Message {
    Message { name, fields, required: "" }
}

// Parts of users.

static SEND_EMAIL_CODE: Message =
    plain("SendEmailVerificationCode", &[Field::text("urlTemplate").between(1, 200).optional()]);
static RETURN_EMAIL_CODE: Message = plain("ReturnEmailVerificationCode", &[]);
static SEND_PHONE_CODE: Message = plain("SendPhoneVerificationCode", &[]);
static RETURN_PHONE_CODE: Message = plain("ReturnPhoneVerificationCode", &[]);
static SET_EMAIL: Message = plain(
    "SetHumanEmail",
    &[
        Field::text("email").address(1, 200),
        Field::message("sendCode", &SEND_EMAIL_CODE).one_of("verification"),
        Field::message("returnCode", &RETURN_EMAIL_CODE).one_of("verification"),
        Field::flag("isVerified").one_of("verification"),
    ],
);
static SET_PHONE: Message = plain(
    "SetHumanPhone",
    &[
        Field::text("phone").between(0, 200),
        Field::message("sendCode", &SEND_PHONE_CODE).one_of("verification"),
        Field::message("returnCode", &RETURN_PHONE_CODE).one_of("verification"),
        Field::flag("isVerified").only_true().one_of("verification"),
    ],
);
static SET_PROFILE: Message = plain(
    "SetHumanProfile",
    &[
        Field::text("givenName").between(1, 200),
        Field::text("familyName").between(1, 200),
        Field::text("nickName").at_most(200).optional(),
        Field::text("displayName").at_most(200).optional(),
        Field::text("preferredLanguage").at_most(10).optional(),
        Field::of("gender", GENDERS).optional(),
    ],
);
static PASSWORD: Message = plain("Password", &[Field::text("password").between(1, 200), Field::flag("changeRequired")]);
static HASHED_PASSWORD: Message =
    plain("HashedPassword", &[Field::text("hash").between(1, 200), Field::flag("changeRequired")]);
static SET_PASSWORD: Message = plain(
    "SetPassword",
    &[
        Field::message("password", &PASSWORD).one_of("password_type"),
        Field::message("hashedPassword", &HASHED_PASSWORD).one_of("password_type"),
        Field::text("currentPassword").between(1, 200).one_of("verification"),
        Field::text("verificationCode").between(1, 20).one_of("verification"),
    ],
);
static METADATA: Message =
    plain("Metadata", &[Field::text("key").between(1, 200), Field::bytes("value").at_most(500_000)]);
static METADATA_ENTRY: Message =
    plain("SetMetadataEntry", &[Field::text("key").between(1, 200), Field::bytes("value").between(1, 500_000)]);
static IDP_LINK: Message = plain(
    "IDPLink",
    &[
        Field::text("idpId").between(1, 200),
        Field::text("userId").between(1, 200),
        Field::text("userName").between(1, 200),
    ],
);

// The user API v2.

static UPDATE_PROFILE: Message = plain(
    "UpdateUserRequest_Human_Profile",
    &[
        Field::text("givenName").between(1, 200).optional(),
        Field::text("familyName").between(1, 200).optional(),
        Field::text("nickName").between(1, 200).optional(),
        Field::text("displayName").between(1, 200).optional(),
        Field::text("preferredLanguage").between(1, 10).optional(),
        Field::of("gender", GENDERS).defined().optional(),
    ],
);
static UPDATE_HUMAN_PART: Message = plain(
    "UpdateUserRequest_Human",
    &[
        Field::message("profile", &UPDATE_PROFILE).optional(),
        Field::message("email", &SET_EMAIL).optional(),
        Field::message("phone", &SET_PHONE).optional(),
        Field::message("password", &SET_PASSWORD).optional(),
    ],
);
static UPDATE_MACHINE_PART: Message = plain(
    "UpdateUserRequest_Machine",
    &[
        Field::text("name").at_most(200).optional(),
        Field::text("description").at_most(500).optional(),
        Field::of("accessTokenType", TOKEN_TYPES).defined().optional(),
    ],
);
pub(super) static UPDATE_USER: Message = plain(
    "UpdateUserRequest",
    &[
        USER_ID,
        Field::text("username").between(1, 200).optional(),
        Field::message("human", &UPDATE_HUMAN_PART).one_of("user_type"),
        Field::message("machine", &UPDATE_MACHINE_PART).one_of("user_type"),
        Field::message("metadata", &METADATA).many(),
    ],
);
pub(super) static UPDATE_HUMAN: Message = plain(
    "UpdateHumanUserRequest",
    &[
        USER_ID,
        Field::text("username").between(1, 200).optional(),
        Field::message("profile", &SET_PROFILE).optional(),
        Field::message("email", &SET_EMAIL).optional(),
        Field::message("phone", &SET_PHONE).optional(),
        Field::message("password", &SET_PASSWORD).optional(),
    ],
);
static CREATE_HUMAN_PART: Message = plain(
    "CreateUserRequest_Human",
    &[
        Field::message("profile", &SET_PROFILE).required(),
        Field::message("email", &SET_EMAIL).required(),
        Field::message("phone", &SET_PHONE).optional(),
        Field::message("password", &PASSWORD).one_of("password_type"),
        Field::message("hashedPassword", &HASHED_PASSWORD).one_of("password_type"),
        Field::message("idpLinks", &IDP_LINK).many(),
        Field::text("totpSecret").between(1, 200).optional(),
        Field::message("metadata", &METADATA).many(),
    ],
);
static CREATE_MACHINE_PART: Message = plain(
    "CreateUserRequest_Machine",
    &[
        Field::text("name").between(1, 200),
        Field::text("description").between(1, 500).optional(),
        Field::of("accessTokenType", TOKEN_TYPES).defined(),
    ],
);
pub(super) static CREATE_USER: Message = Message {
    name: "CreateUserRequest",
    fields: &[
        Field::text("organizationId").between(1, 200),
        Field::text("userId").between(1, 200).optional(),
        Field::text("username").between(1, 200).optional(),
        Field::message("human", &CREATE_HUMAN_PART).one_of("user_type"),
        Field::message("machine", &CREATE_MACHINE_PART).one_of("user_type"),
        Field::message("metadata", &METADATA).many(),
    ],
    required: "UserType",
};
static ORGANIZATION: Message =
    plain("Organization", &[Field::text("orgId").one_of("org"), Field::text("orgDomain").one_of("org")]);
pub(super) static ADD_HUMAN: Message = plain(
    "AddHumanUserRequest",
    &[
        Field::text("userId").between(1, 200).optional(),
        Field::text("username").between(1, 200).optional(),
        Field::message("organization", &ORGANIZATION),
        Field::message("profile", &SET_PROFILE).required(),
        Field::message("email", &SET_EMAIL).required(),
        Field::message("phone", &SET_PHONE),
        Field::message("metadata", &METADATA_ENTRY).many(),
        Field::message("password", &PASSWORD).one_of("password_type"),
        Field::message("hashedPassword", &HASHED_PASSWORD).one_of("password_type"),
        Field::message("idpLinks", &IDP_LINK).many(),
        Field::text("totpSecret").between(1, 200).optional(),
    ],
);
pub(super) static SET_USER_EMAIL: Message = plain(
    "SetEmailRequest",
    &[
        USER_ID,
        Field::text("email").address(1, 200),
        Field::message("sendCode", &SEND_EMAIL_CODE).one_of("verification"),
        Field::message("returnCode", &RETURN_EMAIL_CODE).one_of("verification"),
        Field::flag("isVerified").only_true().one_of("verification"),
    ],
);
pub(super) static GET_USER: Message = plain("GetUserByIDRequest", &[USER_ID]);
pub(super) static DEACTIVATE_USER: Message = plain("DeactivateUserRequest", &[USER_ID]);
pub(super) static REACTIVATE_USER: Message = plain("ReactivateUserRequest", &[USER_ID]);
pub(super) static LOCK_USER: Message = plain("LockUserRequest", &[USER_ID]);
pub(super) static UNLOCK_USER: Message = plain("UnlockUserRequest", &[USER_ID]);
pub(super) static DELETE_USER: Message = plain("DeleteUserRequest", &[USER_ID]);
pub(super) static SET_METADATA: Message =
    plain("SetUserMetadataRequest", &[USER_ID, Field::message("metadata", &METADATA).many()]);
static METADATA_SEARCH: Message = Message {
    name: "MetadataSearchFilter",
    fields: &[Field::message("keyFilter", &KEY_FILTER).one_of("filter")],
    required: "Filter",
};
static PAGE: Message =
    plain("PaginationRequest", &[Field::uint64("offset"), Field::uint32("limit"), Field::flag("asc")]);
pub(super) static LIST_METADATA: Message = plain(
    "ListUserMetadataRequest",
    &[USER_ID, Field::message("pagination", &PAGE).optional(), Field::message("filters", &METADATA_SEARCH).many()],
);
pub(super) static DELETE_METADATA: Message =
    plain("DeleteUserMetadataRequest", &[Field::text("userId"), Field::text("keys").many().between(1, 200)]);
pub(super) static ADD_LINK: Message = plain("AddIDPLinkRequest", &[USER_ID, Field::message("idpLink", &IDP_LINK)]);
pub(super) static LIST_LINKS: Message = plain("ListIDPLinksRequest", &[USER_ID, Field::message("query", &LIST_QUERY)]);
pub(super) static REMOVE_LINK: Message = plain(
    "RemoveIDPLinkRequest",
    &[USER_ID, Field::text("idpId").between(1, 200), Field::text("linkedUserId").between(1, 200)],
);

// Searching.

static LIST_QUERY: Message = plain("ListQuery", &[Field::uint64("offset"), Field::uint32("limit"), Field::flag("asc")]);
const METHOD: Field = Field::of("method", METHODS).defined();
static USER_NAME_QUERY: Message = plain("UserNameQuery", &[Field::text("userName").between(1, 200), METHOD]);
static FIRST_NAME_QUERY: Message = plain("FirstNameQuery", &[Field::text("firstName").between(1, 200), METHOD]);
static LAST_NAME_QUERY: Message = plain("LastNameQuery", &[Field::text("lastName").between(1, 200), METHOD]);
static NICK_NAME_QUERY: Message = plain("NickNameQuery", &[Field::text("nickName").between(1, 200), METHOD]);
static DISPLAY_NAME_QUERY: Message = plain("DisplayNameQuery", &[Field::text("displayName").between(1, 200), METHOD]);
static EMAIL_QUERY: Message = plain("EmailQuery", &[Field::text("emailAddress").at_most(200), METHOD]);
static PHONE_QUERY: Message = plain("PhoneQuery", &[Field::text("number").at_most(20), METHOD]);
static LOGIN_NAME_QUERY: Message = plain("LoginNameQuery", &[Field::text("loginName").between(1, 200), METHOD]);
static STATE_QUERY: Message = plain("StateQuery", &[Field::of("state", STATES).defined()]);
static TYPE_QUERY: Message = plain("TypeQuery", &[Field::of("type", TYPES).defined()]);
static IN_IDS_QUERY: Message = plain("InUserIDQuery", &[Field::text("userIds").many()]);
static IN_EMAILS_QUERY: Message = plain("InUserEmailsQuery", &[Field::text("userEmails").many()]);
static ORGANIZATION_QUERY: Message = plain("OrganizationIdQuery", &[Field::text("organizationId").between(1, 200)]);
static KEY_FILTER: Message =
    plain("MetadataKeyFilter", &[Field::text("key").at_most(200), Field::of("method", FILTERS).defined()]);
static VALUE_FILTER: Message =
    plain("MetadataValueFilter", &[Field::bytes("value").at_most(200), Field::of("method", BYTE_FILTERS).defined()]);
static OR_QUERY: Message = plain("OrQuery", &[Field::message("queries", &SEARCH_QUERY).many()]);
static AND_QUERY: Message = plain("AndQuery", &[Field::message("queries", &SEARCH_QUERY).many()]);
static NOT_QUERY: Message = plain("NotQuery", &[Field::message("query", &SEARCH_QUERY)]);

/// A member of the oneof that a query must have.
const fn query(name: &'static str, message: &'static Message) -> Field {
    Field::message(name, message).one_of("query")
}

static SEARCH_QUERY: Message = Message {
    name: "SearchQuery",
    fields: &[
        query("userNameQuery", &USER_NAME_QUERY),
        query("firstNameQuery", &FIRST_NAME_QUERY),
        query("lastNameQuery", &LAST_NAME_QUERY),
        query("nickNameQuery", &NICK_NAME_QUERY),
        query("displayNameQuery", &DISPLAY_NAME_QUERY),
        query("emailQuery", &EMAIL_QUERY),
        query("stateQuery", &STATE_QUERY),
        query("typeQuery", &TYPE_QUERY),
        query("loginNameQuery", &LOGIN_NAME_QUERY),
        query("inUserIdsQuery", &IN_IDS_QUERY),
        query("orQuery", &OR_QUERY),
        query("andQuery", &AND_QUERY),
        query("notQuery", &NOT_QUERY),
        query("inUserEmailsQuery", &IN_EMAILS_QUERY),
        query("organizationIdQuery", &ORGANIZATION_QUERY),
        query("phoneQuery", &PHONE_QUERY),
        query("metadataKeyFilter", &KEY_FILTER),
        query("metadataValueFilter", &VALUE_FILTER),
    ],
    required: "Query",
};
pub(super) static LIST_USERS: Message = plain(
    "ListUsersRequest",
    &[
        Field::message("query", &LIST_QUERY),
        Field::of("sortingColumn", COLUMNS),
        Field::message("queries", &SEARCH_QUERY).many(),
    ],
);

// The old management API.

static OLD_USER_NAME_QUERY: Message = plain("UserNameQuery", &[Field::text("userName").at_most(200), METHOD]);
static OLD_FIRST_NAME_QUERY: Message = plain("FirstNameQuery", &[Field::text("firstName").at_most(200), METHOD]);
static OLD_LAST_NAME_QUERY: Message = plain("LastNameQuery", &[Field::text("lastName").at_most(200), METHOD]);
static OLD_NICK_NAME_QUERY: Message = plain("NickNameQuery", &[Field::text("nickName").at_most(200), METHOD]);
static OLD_DISPLAY_NAME_QUERY: Message = plain("DisplayNameQuery", &[Field::text("displayName").at_most(200), METHOD]);
static OLD_LOGIN_NAME_QUERY: Message = plain("LoginNameQuery", &[Field::text("loginName").at_most(200), METHOD]);
static OLD_STATE_QUERY: Message = plain("StateQuery", &[Field::of("state", OLD_STATES).defined()]);
static OLD_OR_QUERY: Message = plain("OrQuery", &[Field::message("queries", &OLD_SEARCH_QUERY).many()]);
static OLD_AND_QUERY: Message = plain("AndQuery", &[Field::message("queries", &OLD_SEARCH_QUERY).many()]);
static OLD_NOT_QUERY: Message = plain("NotQuery", &[Field::message("query", &OLD_SEARCH_QUERY)]);
static OLD_SEARCH_QUERY: Message = Message {
    name: "SearchQuery",
    fields: &[
        query("userNameQuery", &OLD_USER_NAME_QUERY),
        query("firstNameQuery", &OLD_FIRST_NAME_QUERY),
        query("lastNameQuery", &OLD_LAST_NAME_QUERY),
        query("nickNameQuery", &OLD_NICK_NAME_QUERY),
        query("displayNameQuery", &OLD_DISPLAY_NAME_QUERY),
        query("emailQuery", &EMAIL_QUERY),
        query("stateQuery", &OLD_STATE_QUERY),
        query("typeQuery", &TYPE_QUERY),
        query("loginNameQuery", &OLD_LOGIN_NAME_QUERY),
        query("inUserIdsQuery", &IN_IDS_QUERY),
        query("orQuery", &OLD_OR_QUERY),
        query("andQuery", &OLD_AND_QUERY),
        query("notQuery", &OLD_NOT_QUERY),
        query("inUserEmailsQuery", &IN_EMAILS_QUERY),
    ],
    required: "Query",
};
pub(super) static OLD_LIST_USERS: Message = plain(
    "ListUsersRequest",
    &[
        Field::message("query", &LIST_QUERY),
        Field::of("sortingColumn", COLUMNS),
        Field::message("queries", &OLD_SEARCH_QUERY).many(),
    ],
);
pub(super) static OLD_GET_USER: Message = plain("GetUserByIDRequest", &[ID]);
pub(super) static OLD_DEACTIVATE: Message = plain("DeactivateUserRequest", &[ID]);
pub(super) static OLD_REACTIVATE: Message = plain("ReactivateUserRequest", &[ID]);
pub(super) static OLD_LOCK: Message = plain("LockUserRequest", &[ID]);
pub(super) static OLD_UNLOCK: Message = plain("UnlockUserRequest", &[ID]);
static OLD_KEY_QUERY: Message = plain("MetadataKeyQuery", &[Field::text("key").at_most(200), METHOD]);
static OLD_METADATA_QUERY: Message = Message {
    name: "MetadataQuery",
    fields: &[Field::message("keyQuery", &OLD_KEY_QUERY).one_of("query")],
    required: "Query",
};
static OLD_METADATA: Message = plain(
    "BulkSetUserMetadataRequest_Metadata",
    &[Field::text("key").between(1, 200), Field::bytes("value").between(1, 500_000)],
);
const KEY: Field = Field::text("key").between(1, 200);
pub(super) static OLD_SET_METADATA: Message =
    plain("SetUserMetadataRequest", &[ID, KEY, Field::bytes("value").between(1, 500_000)]);
pub(super) static OLD_SET_MUCH_METADATA: Message =
    plain("BulkSetUserMetadataRequest", &[ID, Field::message("metadata", &OLD_METADATA).many()]);
pub(super) static OLD_LIST_METADATA: Message = plain(
    "ListUserMetadataRequest",
    &[ID, Field::message("query", &LIST_QUERY), Field::message("queries", &OLD_METADATA_QUERY).many()],
);
pub(super) static OLD_GET_METADATA: Message = plain("GetUserMetadataRequest", &[ID, KEY]);
pub(super) static OLD_DELETE_METADATA: Message = plain("RemoveUserMetadataRequest", &[ID, KEY]);
pub(super) static OLD_DELETE_MUCH_METADATA: Message =
    plain("BulkRemoveUserMetadataRequest", &[ID, Field::text("keys").many().between(1, 200)]);
pub(super) static OLD_USERNAME: Message =
    plain("UpdateUserNameRequest", &[USER_ID, Field::text("userName").between(1, 200)]);
pub(super) static OLD_PROFILE: Message = plain(
    "UpdateHumanProfileRequest",
    &[
        USER_ID,
        Field::text("firstName").between(1, 200),
        Field::text("lastName").between(1, 200),
        Field::text("nickName").at_most(200),
        Field::text("displayName").between(1, 200),
        Field::text("preferredLanguage").at_most(10),
        Field::of("gender", GENDERS),
    ],
);
pub(super) static OLD_EMAIL: Message =
    plain("UpdateHumanEmailRequest", &[USER_ID, Field::text("email").between(1, 200), Field::flag("isEmailVerified")]);
pub(super) static OLD_PHONE: Message = plain(
    "UpdateHumanPhoneRequest",
    &[USER_ID, Field::text("phone").prefixed(1, 50, "+"), Field::flag("isPhoneVerified")],
);
pub(super) static OLD_REMOVE_PHONE: Message = plain("RemoveHumanPhoneRequest", &[USER_ID]);
pub(super) static DOMAIN_POLICY: Message = plain("GetDomainPolicyRequest", &[]);
static IMPORT_PROFILE: Message = plain(
    "ImportHumanUserRequest_Profile",
    &[
        Field::text("firstName").between(1, 200),
        Field::text("lastName").between(1, 200),
        Field::text("nickName").at_most(200),
        Field::text("displayName").at_most(200),
        Field::text("preferredLanguage").at_most(10),
        Field::of("gender", GENDERS),
    ],
);
static IMPORT_EMAIL: Message =
    plain("ImportHumanUserRequest_Email", &[Field::text("email").between(1, 200), Field::flag("isEmailVerified")]);
static IMPORT_PHONE: Message =
    plain("ImportHumanUserRequest_Phone", &[Field::text("phone").prefixed(1, 50, "+"), Field::flag("isPhoneVerified")]);
static IMPORT_HASH: Message = plain("ImportHumanUserRequest_HashedPassword", &[Field::text("value")]);
static IMPORT_IDP: Message = plain(
    "ImportHumanUserRequest_IDP",
    &[
        Field::text("configId").between(1, 200),
        Field::text("externalUserId").between(1, 200),
        Field::text("displayName").at_most(200),
    ],
);
pub(super) static IMPORT_HUMAN: Message = plain(
    "ImportHumanUserRequest",
    &[
        Field::text("userName").between(1, 200),
        Field::message("profile", &IMPORT_PROFILE).required(),
        Field::message("email", &IMPORT_EMAIL).required(),
        Field::message("phone", &IMPORT_PHONE),
        Field::text("password"),
        Field::message("hashedPassword", &IMPORT_HASH),
        Field::flag("passwordChangeRequired"),
        Field::flag("requestPasswordlessRegistration"),
        Field::text("otpCode"),
        Field::message("idps", &IMPORT_IDP).many(),
    ],
);
