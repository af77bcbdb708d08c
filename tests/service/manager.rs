//! What the service manager is told.

use std::{os::unix::net::UnixDatagram, time::Duration};

use crate::running::{PATIENCE, Service, project};

/// The socket that a service manager would have.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    /// The next message, line by line.
    fn hears(&self) -> Vec<String> {
        let mut bytes = [0; 4_096];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).lines().map(ToOwned::to_owned).collect()
    }

    /// The next message that is no sign of life.
    fn hears_news(&self) -> Vec<String> {
        loop {
            let message = self.hears();
            if message != ["WATCHDOG=1"] {
                return message;
            }
        }
    }
}

#[test]
fn the_manager_is_told_of_the_start_the_reload_every_half_limit_and_the_stop() {
    let world = project(1);
    let path = world.path("notify");
    let manager = Manager { socket: UnixDatagram::bind(&path).unwrap() };
    manager.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let path = path.to_str().unwrap();
    let environment = [("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "600000")];
    let mut service = Service::begin(&world, &[], &environment);
    assert_eq!(manager.hears_news(), ["READY=1", "STATUS=watching hr, offices"]);
    let begun = std::time::Instant::now();
    for _ in 0..4 {
        assert_eq!(manager.hears(), ["WATCHDOG=1"]);
    }
    // The first comes at once, each other one half of the limit later.
    assert!(begun.elapsed() > Duration::from_millis(700), "{:?}", begun.elapsed());

    service.signal("HUP");
    let reloading = manager.hears_news();
    assert_eq!(reloading[0], "RELOADING=1");
    let when = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap_or_else(|| panic!("{reloading:?}"));
    assert!(when.parse::<u64>().unwrap() > 0);
    assert_eq!(manager.hears_news(), ["READY=1", "STATUS=watching hr, offices"]);

    // A reload that fails is over as well.
    world.write("homeward.toml", b"nonsense");
    service.signal("HUP");
    assert_eq!(manager.hears_news()[0], "RELOADING=1");
    assert_eq!(manager.hears_news(), ["READY=1", "STATUS=watching hr, offices"]);

    service.signal("TERM");
    assert_eq!(manager.hears_news(), ["STOPPING=1"]);
    assert_eq!(service.ends().0, 0);
}
