//! Too many, and too slow: an honest sender is served all the same, and nothing is kept of the others.

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    running::{Site, await_that},
    sender::{Delivery, PATH, connect, post},
};

/// How much more memory an attack may take for good: the most that is read at once from all connections is 64 MiB.
const BOUND: u64 = 64 << 10;

#[test]
fn ten_thousand_requests_change_nothing_and_an_honest_delivery_between_them_is_served_in_time() {
    let site = Site::new("1h");
    site.tells();
    let watch = site.watch();
    let (port, before, open) = (site.port, watch.memory("VmRSS"), watch.open());
    let runs = site.runs().len();
    let forged = Delivery {
        secret: "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=".to_owned(),
        ..Delivery::new("evt_x", 8)
    };
    let attackers: Vec<_> = (0..8)
        .map(|_| {
            let forged = forged.clone();
            thread::spawn(move || {
                let headers = forged.headers();
                (0..1250).filter(|_| post(port, PATH, &headers, &forged.body) == Some(401)).count()
            })
        })
        .collect();
    site.meddle("7", &json!({ "username": "anna.b" }));
    let took = await_that("the honest one is done", || site.anna() == "anna.b");
    let answered: usize = attackers.into_iter().map(|attacker| attacker.join().unwrap()).sum();
    let grown = watch.memory("VmRSS").saturating_sub(before);
    println!(
        "{answered} of 10000 forged deliveries answered with 401; {grown} kB more; the honest one took {} ms",
        took.as_millis()
    );
    assert!(answered > 9900, "{answered}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(grown < BOUND, "{grown} kB more");
    await_that("connections are let go", || watch.open() <= open + 4);
    await_that("one run more", || site.runs().len() == runs + 1);
    assert!(!site.world.asked("website").iter().any(|line| line.contains("/users/8?")));
    assert!(watch.log().matches("turned away").count() <= 2, "{}", watch.log());
}

#[test]
fn slow_senders_and_more_connections_than_may_be_do_not_keep_an_honest_one_waiting() {
    let site = Site::new("1h");
    let watch = site.watch();
    let (before, open) = (watch.memory("VmRSS"), watch.open());
    let mut slow = Vec::new();
    for number in 0..300 {
        let mut stream = connect(site.port);
        // Nothing at all, half a head, and a head that promises a body.
        let said: &[u8] = match number % 3 {
            0 => b"",
            1 => b"POST /hooks/wordpress HTTP/1.1\r\nhost: h\r\nx-slow: ",
            _ => b"POST /hooks/wordpress HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n{",
        };
        let _ = stream.write_all(said);
        slow.push(stream);
    }
    let begun = Instant::now();
    assert_eq!(Delivery::new("evt_honest", 8).send(site.port), Some(200));
    let took = begun.elapsed();
    println!("an honest delivery behind 300 connections that say nothing: {} ms", took.as_millis());
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(watch.open() < open + 80, "{} open", watch.open());
    // Those that stay are turned away after a while, however busy they seem.
    let begun = Instant::now();
    await_that("the slow ones are let go", || {
        for stream in slow.iter_mut().skip(1).step_by(3) {
            let _ = stream.write_all(b"x");
        }
        watch.open() <= open + 4
    });
    println!("the slow ones were let go after {} ms", begun.elapsed().as_millis());
    assert!(begun.elapsed() < Duration::from_secs(25));
    let grown = watch.memory("VmRSS").saturating_sub(before);
    assert!(grown < BOUND, "{grown} kB more");
}
