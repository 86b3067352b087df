trio-stream tail "$URL" --event scanned --field place
trio-stream tail "$URL" --max-items 1
trio-stream tail "$URL/nowhere" || echo "exit code $?"
trio-stream chat --mock --provider openai "Who are you?"
