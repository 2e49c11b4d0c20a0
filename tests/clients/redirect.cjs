// Sends requests for api.rembg.com and api.remove.bg to the gateway under test; the TLS handshake still asks for the real
// name.
'use strict';

const https = require('node:https');

const connect = https.Agent.prototype.createConnection;

https.Agent.prototype.createConnection = function (options, ...rest) {
  if (['api.rembg.com', 'api.remove.bg'].includes(options.host)) {
    options = { ...options, host: '127.0.0.1', port: Number(process.env.GATEWAY_PORT), servername: options.host };
  }
  return connect.call(this, options, ...rest);
};
