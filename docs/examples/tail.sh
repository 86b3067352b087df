trio-stream tail "$URL" --event scanned --field place
trio-stream tail "$URL" --max-items 1
trio-stream tail "$URL/nowhere" || echo "exit code $?"
trio-stream chat --mock --provider openai "Who are you?"
trio-stream tail "$URL/feed" --text --max-items 2 --state feed.json
trio-stream tail "$URL/feed" --text --reconnect --state feed.json
trio-stream record "$URL" parcels.jsonl
trio-stream replay parcels.jsonl --fast --event scanned --field place
