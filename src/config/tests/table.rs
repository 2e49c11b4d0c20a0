//! Every mistake that a file can hold, and its words.

/// Files, each with the mistakes that are reported.
pub(super) const MISTAKES: &[(&str, &str)] = &[
    ("colour = 1", "colour: unknown setting"),
    ("[pages]\ntitle = \" \"", "pages.title: must be 1 to 80 characters in one line"),
    ("[pages]\naccent = \"blue\"", "pages.accent: must be a colour such as \"#2357D9\""),
    (
        "[pages]\npublic_url = \"https://api.example.com/\"",
        "pages.public_url: must be an address such as \"https://api.example.com\", in lower case and without a path",
    ),
    (
        "[pages]\nrobots = \"noindex, hide\"",
        "pages.robots: must be one or more of all, index, follow, noindex, nofollow, none, noarchive, nosnippet, \
         noimageindex, with commas between",
    ),
    (
        "[pages]\nlinks = [{ text = \"a\", url = \"/ok\" }, { text = \"b\", url = \"javascript:alert(1)\" }]",
        "pages.links[1].url: must be an https: address or a path such as \"/pricing\"",
    ),
    (
        "[pages]\nlinks = [{ text = \"b\", url = \"//evil.example\" }]",
        "pages.links[0].url: must be an https: address or a path such as \"/pricing\"",
    ),
    (
        "[pages]\nlinks = [\"/a\"]",
        "pages.links: invalid type: string \"/a\", expected a link such as { text = \"Pricing\", url = \"https://example.com/pricing\" }",
    ),
    ("[backend]\nurl = \"x\"", "backend.url: unknown setting; did you mean backend.urls?"),
    ("[listen]\ndrain_delay_s = 3601", "listen.drain_delay_s: must be between 0 and 3600, is 3601"),
    ("backend = 5", "backend: invalid type: integer `5`, expected a section"),
    (
        "[backend]\nconcurrency = \"lots\"",
        "backend.concurrency: invalid type: string \"lots\", expected a whole number",
    ),
    ("[backend]\nconcurrency = 0", "backend.concurrency: must be between 1 and 65536, is 0"),
    ("[backend]\ntimeout_s = -1", "backend.timeout_s: invalid value: integer `-1`, expected a whole number"),
    ("[backend]\ntimeout_s = 0", "backend.timeout_s: must be between 1 and 86400, is 0"),
    (
        "[backend]\nkind = \"magic\"",
        "backend.kind: unknown variant `magic`, expected one of `builtin`, `rmbg`, `rembg`",
    ),
    ("[backend]\nkind = \"rmbg\"", "backend.urls: must name at least one address for kind = \"rmbg\""),
    ("[backend]\nkind = \"rembg\"", "backend.urls: must name at least one address for kind = \"rembg\""),
    ("[backend]\napi_keys = [\"ok\", \"a b\"]", "backend.api_keys[1]: must be printable ASCII without spaces"),
    ("[backend]\nhealth_path = \"healthz\"", "backend.health_path: must be a path such as \"/healthz\""),
    ("[backend]\nrembg_model = \"\"", "backend.rembg_model: must name a model such as \"u2netp\""),
    (
        "[backend]\nca_file = \"/no/such/file\"",
        "backend.ca_file: cannot be read: No such file or directory (os error 2)",
    ),
    ("[backend]\nurls = [\"http://a/\"]", "backend.urls: must be left out for kind = \"builtin\""),
    (
        "[backend]\nkind = \"rmbg\"\nurls = [\"http://ok/\", \"ftp://a/\"]",
        "backend.urls[1]: must be an address such as \"http://127.0.0.1:7000/api/remove\"",
    ),
    (
        "[backend]\nkind = \"rmbg\"\nurls = [\"http://me:secret@a/\"]",
        "backend.urls[0]: must not hold a password; use api_key",
    ),
    ("[backend]\nurls = [1]", "backend.urls: invalid type: integer `1`, expected a string"),
    ("[backend]\napi_key = 1234", "backend.api_key: expected text in quotes"),
    ("[backend]\napi_key = \"a b\"", "backend.api_key: must be printable ASCII without spaces"),
    (
        "[backend]\napi_key_file = \"/no/such/file\"",
        "backend.api_key_file: cannot read /no/such/file: No such file or directory (os error 2)",
    ),
    ("[listen]\npublic = \"8080\"", "listen.public: expected an address such as \"127.0.0.1:8080\""),
    (
        "[listen]\nadmin = \"127.0.0.1:8080\"",
        "listen.admin: is 127.0.0.1:8080, the same as listen.public; use another port",
    ),
    ("[listen]\ntls_cert = \"cert.pem\"", "listen.tls_key: needs a file, because tls_cert is set"),
    ("[listen]\ntls_key = \"key.pem\"", "listen.tls_cert: needs a file, because tls_key is set"),
    (
        "[listen]\nplain = \"127.0.0.1:80\"",
        "listen.plain: needs tls_cert and tls_key; without them, listen.public itself has no TLS",
    ),
    ("[listen]\nidle_timeout_s = 0", "listen.idle_timeout_s: must be between 1 and 86400, is 0"),
    (
        "[listen]\nproxy_protocol_from = [\"10.0.0.0/99\"]",
        "listen.proxy_protocol_from: \"10.0.0.0/99\" is not a network; write an address, or one with a prefix length, such as \
         \"10.0.0.0/8\"",
    ),
    ("[store]\nledger_months = 0", "store.ledger_months: must be between 1 and 1200, is 0"),
    ("[limits]\ntransfer_min_rate = 0", "limits.transfer_min_rate: must be at least 1 byte (per second)"),
    (
        "[store]\nurl = \"postgres://u:secret@h/d\"",
        "store.url: unknown kind \"postgres\"; write sqlite:PATH, such as \"sqlite:data/gateway.db\", or redis://HOST:PORT",
    ),
    (
        "[store]\nurl = \"redis://h:x\"",
        "store.url: has no port number after its last colon (a slash in a password is %2F)",
    ),
    (
        "[store]\nurl = \"redis://h\"\nca_file = \"/dev/null\"\n[auth.api_key]\npepper = \"sixteen-or-longer\"",
        "store.ca_file: is only for a Redis with TLS; write rediss:// in store.url",
    ),
    (
        "[store]\nurl = \"rediss://h\"\nca_file = \"/no/such/file\"\n[auth.api_key]\npepper = \"sixteen-or-longer\"",
        "store.ca_file: cannot be read: No such file or directory (os error 2)",
    ),
    (
        "[store]\nurl = \"redis://h\"",
        "auth.api_key.pepper: must be set, to the same value for every gateway on one Redis",
    ),
    ("[store]\nurl = \"sqlite:\"", "store.url: names no file; write sqlite:PATH, such as \"sqlite:data/gateway.db\""),
    (
        "[limits]\nmemory_budget = \"1 MB\"",
        "limits.memory_budget: \"1 MB\" is not a size; write a number of bytes, or one with KiB, MiB or GiB, such as \
         \"256 MiB\"",
    ),
    (
        "[limits]\nheld_per_client = 7",
        "limits.held_per_client: must be between max_answer (160 MiB) and spool_budget (8 GiB)",
    ),
    (
        "[limits]\nheld_per_account = \"9 GiB\"",
        "limits.held_per_account: must be between max_answer (160 MiB) and spool_budget (8 GiB)",
    ),
    (
        "[limits]\nspool_budget = \"1 MiB\"",
        "limits.spool_budget: is 1 MiB, must be at least twice max_answer (160 MiB)",
    ),
    ("default_plan = \"Gold\"", "default_plan: there is no plan \"Gold\"; there are: Free, Premium-20000"),
    ("[auth.api_key]\npepper = \"short\"", "auth.api_key.pepper: must have at least 16 characters"),
    ("[auth.api_key]\npepper = \"\"", "auth.api_key.pepper: is empty"),
    (
        "[stripe]\nprices = { price_x = \"Gold\" }",
        "stripe.prices.price_x: there is no plan \"Gold\"; there are: Free, Premium-20000",
    ),
    ("[stripe]\npacks = { plink_x = 0 }", "stripe.packs.plink_x: must be between 1 and 9007199254740991, is 0"),
    ("[stripe]\ntolerance_s = 0", "stripe.tolerance_s: must be between 1 and 86400, is 0"),
    ("[stripe]\nrenewal_grace_days = 400", "stripe.renewal_grace_days: must be between 0 and 366, is 400"),
    ("[stripe]\nwebhook_secrets = [\"whsec_a\", \" \"]", "stripe.webhook_secrets: is empty"),
    (
        "[stripe]\nwebhook_secrets_file = \"/no/such/file\"",
        "stripe.webhook_secrets_file: cannot read /no/such/file: No such file or directory (os error 2)",
    ),
    (
        "[auth.user_token]\nissuer = \"https://i\"\nhs256_secret = \"short\"\naudience = \"a\"",
        "auth.user_token.hs256_secret: must have at least 32 bytes",
    ),
    (
        "[limits]\ntrusted_proxies = [\"10.0.0.0/99\"]",
        "limits.trusted_proxies: \"10.0.0.0/99\" is not a network; write an address, or one with a prefix length, such as \"10.0.0.0/8\"",
    ),
    (
        "[limits]\nin_flight_per_client = 0",
        "limits.in_flight_per_client: invalid value: integer `0`, expected a whole number from 1 to 4294967295",
    ),
    (
        "[auth.api_key]\npepper = [\"a pepper of sixteen\", \"short\"]",
        "auth.api_key.pepper: must have at least 16 characters",
    ),
    ("[auth.api_key]\npepper = 1234", "auth.api_key.pepper: expected text in quotes, or a list of such"),
    (
        "[anonymous]\nburst = { per_minute = 0, size = 1 }",
        "anonymous.burst.per_minute: must be between 1 and 1000000, is 0",
    ),
    (
        "[anonymous]\nburst = { per_minute = 60000001, size = 1 }",
        "anonymous.burst.per_minute: must be between 1 and 1000000, is 60000001",
    ),
    (
        "[anonymous]\nper_day = 9007199254740992",
        "anonymous.per_day: must be between 0 and 9007199254740991, is 9007199254740992",
    ),
    (
        "[plans.Free]\ncredits = 9007199254740992\nburst = { per_minute = 1, size = 4294967295 }",
        "plans.Free.burst.size: must be between 1 and 1000000, is 4294967295\n\
         plans.Free.credits: must be between 0 and 9007199254740991, is 9007199254740992",
    ),
    ("[limits]\nspool_budget = \"1048577 GiB\"", "limits.spool_budget: must be at most 1048576 GiB"),
    (
        "[auth.user_token]\nheader = \"Host\"",
        "auth.user_token.header: \"Host\" has another meaning; use another header, such as \"x-user-token\"",
    ),
    (
        "[cors]\norigins = [\"*\", \"http://[::1]:3000\", \"https://a.example/\"]",
        "cors.origins[2]: must be an origin such as \"https://app.example.com\", in lower case and without a path, or \"*\"",
    ),
    (
        "[plans.Free]\ncredits = 1\nburst = { per_minute = 1, size = 1 }\npriority = 256",
        "plans.Free.priority: invalid value: integer `256`, expected a whole number up to 255",
    ),
    (
        "[dialects.url]\nallow_networks = [\"10.0.0.0/99\"]",
        "dialects.url.allow_networks: \"10.0.0.0/99\" is not a network; write an address, or one with a prefix length, such as \
         \"10.0.0.0/8\"",
    ),
    (
        "[dialects.url]\nallow_networks = [\"10.0.0.0/8\", \"::ffff:0.0.0.0/96\"]",
        "dialects.url.allow_networks[1]: opens every address, this machine's own included; name the networks of your stores",
    ),
    (
        "[dialects.url]\nallow_networks = [\"10.0.0.0/8\"]\nca_file = \"/no/such/file\"",
        "dialects.url.ca_file: cannot be read: No such file or directory (os error 2)",
    ),
    (
        "[dialects.url]\nca_file = \"/dev/null\"",
        "dialects.url.ca_file: needs allow_networks: only addresses in them are checked against it",
    ),
    ("[log]\nlines_per_cause = 0", "log.lines_per_cause: must be between 1 and 10000, is 0"),
    (
        "[log]\nclient_address = \"some\"",
        "log.client_address: unknown variant `some`, expected one of `full`, `network`, `none`",
    ),
    (
        "[log]\nlevel = \"loud\"",
        "log.level: unknown variant `loud`, expected one of `error`, `warn`, `info`, `debug`, `trace`",
    ),
];
