//! Deliveries that are not genuine, one by one: each is answered with its status, and none has any effect.

use std::io::Write;

use serde_json::json;

use crate::{
    running::{Site, await_that},
    sender::{Delivery, PATH, chunked, connect, post, raw, read, request, status},
};

#[test]
fn nothing_that_is_not_genuine_is_taken() {
    let site = Site::new("1h");
    let watch = site.watch();
    // Her rename is there to be found by whoever looks: nobody may be made to look.
    site.meddle("7", &json!({ "username": "anna.b" }));
    let quiet = (site.runs().len(), site.world.asked("website").len());
    let now = jiff::Timestamp::now().as_second();
    let genuine = Delivery::new("evt_a", 7);
    let without = |name: &str| genuine.headers().into_iter().filter(|(header, _)| *header != name).collect::<Vec<_>>();
    let with = |name: &'static str, value: &str| {
        let mut headers = without(name);
        headers.push((name, value.to_owned()));
        headers
    };
    let other_secret = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=".to_owned();
    let cases: Vec<(&str, Option<u16>, u16)> = vec![
        ("another secret", Delivery { secret: other_secret, ..genuine.clone() }.send(site.port), 401),
        ("no signature", post(site.port, PATH, &without("webhook-signature"), &genuine.body), 401),
        ("no id", post(site.port, PATH, &without("webhook-id"), &genuine.body), 400),
        ("no time", post(site.port, PATH, &without("webhook-timestamp"), &genuine.body), 400),
        ("another id", post(site.port, PATH, &with("webhook-id", "evt_b"), &genuine.body), 401),
        ("an id with a dot", post(site.port, PATH, &with("webhook-id", "evt.a"), &genuine.body), 400),
        ("another time", post(site.port, PATH, &with("webhook-timestamp", &(now - 1).to_string()), &genuine.body), 401),
        ("a time that is none", post(site.port, PATH, &with("webhook-timestamp", "-1"), &genuine.body), 400),
        ("an empty signature", post(site.port, PATH, &with("webhook-signature", ""), &genuine.body), 401),
        (
            "a signature of another version",
            post(site.port, PATH, &with("webhook-signature", "v2,AAAA"), &genuine.body),
            401,
        ),
        (
            "too many signatures",
            post(site.port, PATH, &with("webhook-signature", &"v1,AA== ".repeat(50)), &genuine.body),
            400,
        ),
        ("an old one", Delivery { timestamp: now - 310, ..genuine.clone() }.send(site.port), 401),
        ("one of the future", Delivery { timestamp: now + 310, ..genuine.clone() }.send(site.port), 401),
        ("an unsigned ping", post(site.port, PATH, &[], b"webhook_id=7"), 401),
        ("another path", post(site.port, "/hooks/other", &genuine.headers(), &genuine.body), 404),
        ("the path and more", post(site.port, "/hooks/wordpress/", &genuine.headers(), &genuine.body), 404),
    ];
    for (what, got, wanted) in cases {
        assert_eq!(got, Some(wanted), "{what}");
    }
    for at in 0..genuine.body.len() {
        let mut body = genuine.body.clone();
        body[at] ^= 1;
        assert_eq!(post(site.port, PATH, &genuine.headers(), &body), Some(401), "byte {at} flipped");
    }
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
        let answer = raw(site.port, &request(method, PATH, &genuine.headers(), &genuine.body));
        assert_eq!(status(&answer), Some(405), "{method}");
    }
    // Signed as it should be, and about nobody: it is read, and that was it.
    for body in [
        "{}",
        "[]",
        "",
        "no JSON",
        "{\"user_id\":0}",
        "{\"user_id\":\"../1\"}",
        "{\"user_id\":-7}",
        "{\"user_id\":7,\"ID\":8}",
    ] {
        let delivery = Delivery { body: body.as_bytes().to_vec(), ..Delivery::new("evt_n", 7) };
        assert_eq!(delivery.send(site.port), Some(200), "{body}");
    }
    assert_eq!((site.runs().len(), site.world.asked("website").len()), quiet, "{}", watch.log());
    assert_eq!(site.anna(), "anna");
    let log = watch.log();
    assert!(log.matches("turned away").count() <= 1, "told once a minute and not of each\n{log}");
    assert!(!log.contains("evt_a"), "{log}");

    // The genuine one is what all of them pretended to be.
    assert_eq!(genuine.send(site.port), Some(200));
    await_that("it is looked at", || site.anna() == "anna.b");
    let runs = site.runs().len();
    let asked = site.world.asked("website").len();
    for _ in 0..20 {
        assert_eq!(genuine.send(site.port), Some(200), "a sender that repeats itself gets the same answer");
    }
    // What was dealt with is not looked at again: a later one is, and only that.
    assert_eq!(Delivery::new("evt_last", 8).send(site.port), Some(200));
    await_that("the last one is looked at", || {
        site.world.asked("website").iter().any(|line| line.contains("/users/8?"))
    });
    await_that("nothing waits", || site.fares()["waiting"] == json!([]));
    let looked = site.world.asked("website").into_iter().skip(asked).filter(|line| line.contains("/users/7?")).count();
    assert_eq!((site.runs().len(), looked), (runs, 0));
}

#[test]
fn bodies_are_read_as_far_as_they_may_be_and_no_further() {
    let site = Site::new("1h");
    let watch = site.watch();
    let before = watch.memory("VmRSS");
    let large = Delivery { body: vec![b' '; 10 << 20], ..Delivery::new("evt_large", 7) };
    for _ in 0..20 {
        // It may be cut off while it is still being sent.
        let got = large.send(site.port);
        assert!(matches!(got, None | Some(413)), "{got:?}");
    }
    // The same without saying how long it is.
    for _ in 0..20 {
        let mut stream = connect(site.port);
        let chunk = [b"10000\r\n", vec![b' '; 0x10000].as_slice(), b"\r\n"].concat();
        let _ = stream.write_all(chunked(&large).as_bytes());
        for _ in 0..160 {
            if stream.write_all(&chunk).is_err() {
                break;
            }
        }
        let answer = read(&mut stream);
        assert!(matches!(status(&answer), None | Some(413)), "{answer}");
    }
    // Within its bounds a body may come in chunks.
    let small = Delivery::new("evt_small", 7);
    let mut bytes = chunked(&small).into_bytes();
    for byte in &small.body {
        bytes.extend([b"1\r\n", [*byte].as_slice(), b"\r\n"].concat());
    }
    bytes.extend(b"0\r\n\r\n");
    assert_eq!(status(&raw(site.port, &bytes)), Some(200));
    let grown = watch.memory("VmRSS").saturating_sub(before);
    println!("after 400 MiB of bodies that are too large: {grown} kB more");
    assert!(grown < 32 << 10, "{grown} kB more");
}

#[test]
fn what_is_no_http_and_what_follows_a_delivery_is_not_answered_as_one() {
    let site = Site::new("1h");
    let watch = site.watch();
    let genuine = Delivery::new("evt_first", 8);
    let second = Delivery::new("evt_second", 7);
    let first = request("POST", PATH, &genuine.headers(), &genuine.body);
    site.meddle("7", &json!({ "username": "anna.b" }));
    // One answer for each connection, whatever else it says.
    for rest in [b"\x00\xff garbage\r\n\r\n".to_vec(), request("POST", PATH, &second.headers(), &second.body)] {
        let answer = raw(site.port, &[first.clone(), rest].concat());
        assert_eq!(status(&answer), Some(200), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    let both =
        format!("POST {PATH} HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    let many = format!("POST {PATH} HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(5000));
    let long = format!("POST {PATH} HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    for bytes in [
        b"\x16\x03\x01\x02\x00".as_slice(),
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        both.as_bytes(),
        many.as_bytes(),
        long.as_bytes(),
    ] {
        let mut stream = connect(site.port);
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answer = read(&mut stream);
        assert!(status(&answer).is_none_or(|status| (400..500).contains(&status)), "{answer}");
    }
    assert_eq!(site.anna(), "anna", "{}", watch.log());
    assert_eq!(second.send(site.port), Some(200));
    await_that("a genuine one is served", || site.anna() == "anna.b");
}
