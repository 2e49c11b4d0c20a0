//! Stripe's own Python library signs what the tests deliver: an oracle that shares no code with the gateway.

use super::process::Process;
use serde_json::json;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, OnceLock},
};

/// The Python that `tests/tools.sh` installs.
const PYTHON: &str = ".cache/stripe-venv/bin/python3";

/// Signs one JSON line after another; importing the library takes longer than a test.
const SIGNER: &str = "
import json, sys
from stripe import WebhookSignature
for line in sys.stdin:
    asked = json.loads(line)
    print(WebhookSignature.generate_signature_header(asked['payload'], asked['secret'], asked['at']), flush=True)
";

struct Signer {
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
    _process: Process,
}

impl Signer {
    fn start() -> Self {
        let started = Command::new(PYTHON).args(["-c", SIGNER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process =
            started.unwrap_or_else(|error| panic!("{PYTHON} cannot be run ({error}); make it with: tests/tools.sh"));
        let (asked, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { asked, answers: BufReader::new(answers), _process: Process(process) }
    }
}

/// The `Stripe-Signature` header of a body, signed at this moment.
pub fn signature(body: &str, secret: &str, at: i64) -> String {
    static SIGNER: OnceLock<Mutex<Signer>> = OnceLock::new();
    let mut signer = SIGNER.get_or_init(|| Mutex::new(Signer::start())).lock().unwrap();
    writeln!(signer.asked, "{}", json!({"payload": body, "secret": secret, "at": at})).unwrap();
    let mut header = String::new();
    signer.answers.read_line(&mut header).unwrap();
    assert!(header.starts_with("t="), "Stripe's library did not sign; make it again with: tests/tools.sh");
    header.trim_end().to_owned()
}
