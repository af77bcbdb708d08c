//! `homeward lab`: the simulators, served until stopped.

use std::{error::Error, fs, path::Path};

use serde_json::json;

use super::{Exit, arguments};
use crate::lab::{self, Bench};

/// Starts a simulator for each configured provider, writes `.homeward/lab.json`, and waits for the signal to stop.
pub(super) async fn serve(global: &arguments::Global, wanted: &arguments::Lab) -> Result<Exit, Box<dyn Error>> {
    let root = global.directory.clone().unwrap_or_else(|| Path::new(".").to_owned());
    let lab = lab::start(&benches(&root, &global.config)?, wanted.people).await?;
    let folder = root.join(".homeward");
    fs::create_dir_all(&folder)?;
    let file = folder.join("lab.json");
    let text = serde_json::to_string_pretty(&json!({ "pid": std::process::id(), "systems": lab.systems }))?;
    // Written aside and moved, so that whoever waits for the file never reads half of it.
    let aside = folder.join("lab.json.writing");
    fs::write(&aside, text)?;
    fs::rename(&aside, &file)?;
    for (system, address) in &lab.systems {
        println!("{system:16} {:12} {}", address.kind, address.url);
    }
    stopped().await?;
    let _ = fs::remove_file(&file);
    Ok(Exit::Done)
}

fn benches(root: &Path, config: &Path) -> Result<Vec<Bench>, Box<dyn Error>> {
    let table: toml::Table = fs::read_to_string(root.join(config))?.parse()?;
    let mut benches = Vec::new();
    for (system, options) in table.get("systems").and_then(toml::Value::as_table).into_iter().flatten() {
        let text = |key: &str| options.get(key).and_then(toml::Value::as_str).map(ToOwned::to_owned);
        let seed = match fs::read_to_string(root.join("lab").join(format!("{system}.json"))) {
            Ok(text) => serde_json::from_str(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => json!({}),
            Err(error) => return Err(error.into()),
        };
        benches.push(Bench {
            system: system.clone(),
            kind: text("kind").unwrap_or_default(),
            token_kind: text("token_kind").unwrap_or_else(|| "personal".to_owned()),
            seed,
        });
    }
    Ok(benches)
}

async fn stopped() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}
