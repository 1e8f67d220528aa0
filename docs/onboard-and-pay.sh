#!/usr/bin/env bash
# Onboards a Partner, takes a payment and receives its events, with curl, openssl and jq alone (and python3 as the receiver of webhooks).
#
#   kontor network --local-webhooks --credentials-file credentials.json &
#   docs/onboard-and-pay.sh credentials.json
#
# Nothing here knows Kontor: against another end of the Klarna Network only the two lines that act for the shopper differ.
set -euo pipefail

credentials=${1:?usage: onboard-and-pay.sh CREDENTIALS_FILE (as written by kontor network --credentials-file)}
BASE=${BASE:-$(jq -er .base_url "$credentials")}
KEY=$(jq -er .acquiring_partner.api_key "$credentials")
PROFILE=$(jq -er .acquiring_partner.payment_profile_id "$credentials")
ACQUIRING_ACCOUNT=$(jq -er .acquiring_partner.payment_acquiring_account_id "$credentials")

work=$(mktemp -d)
receiver=
trap '[ -z "$receiver" ] || kill "$receiver"; rm -rf "$work"' EXIT
run=$(openssl rand -hex 4)

say() { printf '%-22s %s\n' "$1" "$2"; }
fail() { printf 'failed: %s\n' "$*" >&2; exit 1; }

# klarna METHOD PATH [BODY]: one call; the answer on stdout, any refusal ends the script. A lost answer is asked for again, under the same key.
klarna() {
    local body=() status
    if [ $# -ge 3 ]; then body=(-H 'Content-Type: application/json' -d "$3"); fi
    status=$(curl -sS --retry 3 --retry-connrefused -o "$work/answer" -w '%{http_code}' -X "$1" "$BASE$2" \
        -H "Authorization: Basic $KEY" -H "Klarna-Idempotency-Key: $(openssl rand -hex 16)" \
        -H "Partner-Correlation-Id: run-$run" "${body[@]}")
    case $status in
        2??) cat "$work/answer" ;;
        *) fail "$1 $2 answered $status: $(cat "$work/answer")" ;;
    esac
}

# 1. A receiver, for this script's life: each delivery becomes a .body and a .headers file. Any web server would do.
cat > "$work/receiver.py" <<'PYTHON'
import http.server, os, sys
folder, count = sys.argv[1], 0
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers["Content-Length"]))
        count += 1
        with open(f"{folder}/{count}.headers", "w") as file:
            file.write("".join(f"{name.lower()}: {value}\n" for name, value in self.headers.items()))
        with open(f"{folder}/{count}.part", "wb") as file:
            file.write(body)
        os.rename(f"{folder}/{count}.part", f"{folder}/{count}.body")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
with open(f"{folder}/port.part", "w") as file:
    file.write(str(server.server_port))
os.rename(f"{folder}/port.part", f"{folder}/port")
server.serve_forever()
PYTHON
mkdir "$work/received"
python3 "$work/receiver.py" "$work/received" &
receiver=$!
for _ in $(seq 100); do [ -s "$work/received/port" ] && break; sleep 0.1; done
hook="http://127.0.0.1:$(cat "$work/received/port")/klarna"

# 2. A key that deliveries are signed with, and what we want to hear of.
signing=$(klarna POST /v2/notification/signing-keys)
SIGNING_KEY=$(jq -er .signing_key <<< "$signing")
SIGNING_KEY_ID=$(jq -er .signing_key_id <<< "$signing")
webhook=$(klarna POST /v2/notification/webhooks "$(jq -n --arg url "$hook" --arg key "$SIGNING_KEY_ID" '{url: $url,
    event_types: ["payment.*", "partner.*"], event_version: "v2", signing_key_id: $key, status: "ENABLED"}')")
say webhook "$(jq -er .webhook_id <<< "$webhook")"

# 3. The Partner: account, product, brand, store and business entity in one call. A repetition changes nothing.
onboard=$(jq -n --arg run "$run" --arg profile "$PROFILE" --arg acquiring "$ACQUIRING_ACCOUNT" '{
    partner_account_reference: "partner-\($run)", partner_account_name: "Walking Shoes \($run)",
    partner_account_contact: {given_name: "Ada", family_name: "Example", email: "ada@shop.example", phone: "+46700000000"},
    products: [{type: "PAYMENT", payment_profile_id: $profile, payment_accounts: [{payment_acquiring_account_id: $acquiring,
        default_merchant_category_code: "5661", payment_account_reference: "shoes-\($run)",
        default_store_group_reference: "group-\($run)", partner_business_entity_reference: "entity-\($run)"}]}],
    brands: [{brand_reference: "brand-\($run)", display_name: "Walking Shoes"}],
    store_groups: [{store_group_reference: "group-\($run)", brand_reference: "brand-\($run)",
        stores: [{store_reference: "web-\($run)", type: "WEBSITE", url: "https://shop.example"}]}],
    partner_business_entities: [{partner_business_entity_reference: "entity-\($run)",
        legal_registered_entity_name: "Walking Shoes AB", legal_registration_country: "SE",
        supplementary_business_data: {legal_registration: {legal_registration_number: "556000-0000"},
            operating_addresses: [{street_address: "Examplegatan 1", postal_code: "111 11", city: "Stockholm", country: "SE"}]}}]}')
PARTNER=$(klarna POST /v2/distribution/onboard "$onboard" | jq -er .partner_account_id)
again=$(klarna POST /v2/distribution/onboard "$onboard" | jq -er .partner_account_id)
[ "$PARTNER" = "$again" ] || fail "onboarding again made another account"
for _ in $(seq 100); do
    state=$(klarna GET "/v2/accounts/$PARTNER" | jq -er .state)
    [ "$state" = OPERATIONAL ] && break
    sleep 0.2
done
[ "$state" = OPERATIONAL ] || fail "the Partner is $state"
say partner "$PARTNER"

# 4. A payment. There is no grant yet, so the shopper has to act.
purchase=$(jq -n --arg run "$run" '{currency: "EUR",
    request_payment_transaction: {amount: 4990, payment_transaction_reference: "transaction-\($run)"},
    supplementary_purchase_data: {purchase_reference: $run,
        line_items: [{name: "Walking shoes", quantity: 1, total_amount: 4990}]},
    step_up_config: {payment_request_reference: "request-\($run)",
        customer_interaction_config: {method: "HANDOVER", return_url: "https://shop.example/return"}}}')
stepped=$(klarna POST "/v2/accounts/$PARTNER/payment/authorize" "$purchase")
[ "$(jq -r .payment_transaction_response.result <<< "$stepped")" = STEP_UP_REQUIRED ] || fail "no step-up: $stepped"
REQUEST=$(jq -er .payment_request.payment_request_id <<< "$stepped")
URL=$(jq -er .payment_request.state_context.customer_interaction.payment_request_url <<< "$stepped")
say 'payment request' "$REQUEST"

# 5. The shopper, who is here for the first time: five forms in a browser, here a cookie jar.
page() { curl -sS -L --cookie "$work/jar" --cookie-jar "$work/jar" -o "$work/page.html" -w '%{url_effective}' "$@"; }
# The value of a hidden field of the form with this id.
hidden() {
    tr -d '\n' < "$work/page.html" | sed -n "s/.*<form[^>]*id=\"$1\"//p" | sed 's/<\/form>.*//' \
        | grep -o '<input[^>]*>' | grep "name=\"$2\"" | sed -n 's/.*value="\([^"]*\)".*/\1/p' | head -n 1 || true
}
journey=${URL%/start*}
page "$URL" > "$work/at"
step() { # FORM ACTION FIELD=VALUE...
    local form=$1 action=$2 fields=() name value
    shift 2
    for name in csrf seal; do
        value=$(hidden "$form" "$name")
        [ -z "$value" ] || fields+=(--data-urlencode "$name=$value")
    done
    for value in "$@"; do fields+=(--data-urlencode "$value"); done
    # The last answer redirects to the shop, which is none of ours: take where it points to instead of going there.
    location=$(curl -sS --cookie "$work/jar" --cookie-jar "$work/jar" -o "$work/page.html" -w '%{redirect_url}' "$journey/$action" "${fields[@]}")
    [ -n "$location" ] || fail "the form $form was not taken: $(grep -o 'id="[a-z]*-error"[^<]*<[^<]*' "$work/page.html" | head -n 3)"
    case $location in "$BASE"*) page "$location" > "$work/at" ;; esac
}
step contact-form contact contact="ada-$run@shop.example"
step code-form code code=123456
step details-form details given_name=Ada family_name=Example street_address='Musterweg 1' postal_code=10115 city=Berlin \
    date_of_birth=1990-05-17
step plan-form plan plan=pay_later
step confirm-form confirm
say shopper "approved, sent back to $location"

# 6. What the shopper agreed to is a token: single use, for this amount. With it the authorization succeeds.
request=$(klarna GET "/v2/accounts/$PARTNER/payment/requests/$REQUEST")
[ "$(jq -r .state <<< "$request")" = COMPLETED ] || fail "the request is $(jq -r .state <<< "$request")"
TOKEN=$(jq -er .state_context.klarna_network_session_token <<< "$request")
status=$(curl -sS -o "$work/answer" -w '%{http_code}' "$BASE/v2/accounts/$PARTNER/payment/authorize" \
    -H "Authorization: Basic $KEY" -H "Klarna-Idempotency-Key: authorize-$run" -H "Klarna-Network-Session-Token: $TOKEN" \
    -H 'Content-Type: application/json' -d "$(jq 'del(.step_up_config)' <<< "$purchase")")
[ "$status" = 200 ] || [ "$status" = 201 ] || fail "authorize answered $status: $(cat "$work/answer")"
[ "$(jq -r .payment_transaction_response.result "$work/answer")" = APPROVED ] || fail "not approved: $(cat "$work/answer")"
TRANSACTION=$(jq -er .payment_transaction_response.payment_transaction.payment_transaction_id "$work/answer")
say transaction "$TRANSACTION"

# 7. Ship, then take a bit back.
transactions="/v2/accounts/$PARTNER/payment/transactions/$TRANSACTION"
CAPTURE=$(klarna POST "$transactions/capture" "{\"capture_amount\":4990,\"payment_capture_reference\":\"capture-$run\"}" | jq -er .payment_capture_id)
klarna POST "$transactions/captures/$CAPTURE/refund" "{\"refund_amount\":990,\"payment_refund_reference\":\"refund-$run\"}" > "$work/refund"
books=$(klarna GET "$transactions" | jq -ec '[.state, .amount, .captured_amount, .refunded_amount, .remaining_amount]')
[ "$books" = '["COMPLETED",4990,4990,990,0]' ] || fail "the books say $books"
say books "$books"

# 8. Every delivery is signed: HMAC-SHA256 of the raw body with the text of the signing key.
wanted='payment.request.state-change.completed payment.transaction.captured payment.transaction.refunded'
for _ in $(seq 100); do
    told=$(cat "$work"/received/*.body 2> /dev/null | jq -r .metadata.event_type | sort | tr '\n' ' ')
    missing=
    for event in $wanted; do case " $told" in *" $event "*) ;; *) missing+=" $event" ;; esac; done
    [ -z "$missing" ] && break
    sleep 0.2
done
[ -z "$missing" ] || fail "never told of$missing; told of $told"
for body in "$work"/received/*.body; do
    headers=${body%.body}.headers
    given=$(sed -n 's/^klarna-signature: //p' "$headers")
    [ "$(sed -n 's/^klarna-signing-key-id: //p' "$headers")" = "$SIGNING_KEY_ID" ] || fail "$(cat "$headers")"
    made=$(openssl dgst -sha256 -hmac "$SIGNING_KEY" < "$body" | sed 's/^.*= //')
    [ "$given" = "$made" ] || fail "the signature of $(jq -r .metadata.event_type "$body") is wrong"
done
say 'verified deliveries' "$(ls "$work"/received/*.body | wc -l)"

klarna DELETE "/v2/notification/webhooks/$(jq -r .webhook_id <<< "$webhook")" > /dev/null
echo done
