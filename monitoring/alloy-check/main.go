// alloy-check CONFIG: reads Alloy's configuration with Alloy's parser; then takes lines {"log_group", "line"} on standard input and says
// of each what would reach Loki, as a line of JSON, `null` where nothing would.
//
// The parser, the evaluation of attributes and references, templates and JMESPath are Alloy's own engines. What a stage does with
// them is written here after Alloy's sources, for the seven kinds of stage that are configured.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if err := check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("alloy-check CONFIG")
	}
	read, err := read(os.Args[1])
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var one struct {
			Group string `json:"log_group"`
			Line  string `json:"line"`
		}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return err
		}
		told, err := read.through(one.Group, one.Line)
		if err != nil {
			return err
		}
		if err := out.Encode(told); err != nil {
			return err
		}
	}
	return lines.Err()
}
