# Sends what the gem `remove_bg` sends, by the library that it uses, and reads the answers as it does: up to three tries with
# 20 seconds to read, the first error's title, the limit as integers and a time.
require "faraday"
require "json"
require "base64"

told = JSON.parse($stdin.read)
connection = Faraday.new("https://api.remove.bg:#{told["port"]}/v1.0/", ssl: { ca_file: told["ca_file"] }) do |faraday|
  faraday.request :retry, max: 2, interval: 0.2, backoff_factor: 2, methods: [:post],
                          exceptions: Faraday::Request::Retry::DEFAULT_EXCEPTIONS + [Faraday::ConnectionFailed]
  faraday.request :multipart
  faraday.request :url_encoded
  faraday.options.timeout = 20
  faraday.options.open_timeout = 4
  faraday.adapter :net_http
end

call = lambda do |key, options|
  file = Faraday::FilePart.new(told["path"], "image/png")
  response = connection.post("removebg", { image_file: file, size: "auto" }.merge(options), { "X-Api-Key" => key })
  headers = response.headers
  limit = {
    total: headers["X-RateLimit-Limit"]&.to_i, remaining: headers["X-RateLimit-Remaining"]&.to_i,
    reset_at: headers["X-RateLimit-Reset"] && Time.at(headers["X-RateLimit-Reset"].to_i).utc.year,
    retry_after: headers["Retry-After"]&.to_i
  }
  case response.status
  when 200
    { status: 200, type: headers["X-Type"], width: Integer(headers["X-Width"]), height: Integer(headers["X-Height"]),
      credits_charged: headers["X-Credits-Charged"].to_f, content_type: headers["Content-Type"], limit: limit,
      data: Base64.strict_encode64(response.body) }
  else
    { status: response.status, title: JSON.parse(response.body)["errors"][0]["title"], limit: limit }
  end
end
account = connection.get("account", nil, { "X-Api-Key" => told["key"] })
credits = JSON.parse(account.body, symbolize_names: true).fetch(:data).fetch(:attributes).fetch(:credits)
puts JSON.generate(
  results: told["calls"].map { |key, options| call.call(key, options.transform_keys(&:to_sym)) },
  account: credits.fetch(:total) + credits.fetch(:subscription) + credits.fetch(:payg) + credits.fetch(:enterprise),
)
