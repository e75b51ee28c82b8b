// Which licences are in the folders named on standard input: a line "folder<tab>id id" for each.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

var named = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying|^mit|^bsd`)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		entries, err := os.ReadDir(lines.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		found := []string{}
		for _, entry := range entries {
			// A licence of the documentation is none of the code.
			if entry.IsDir() || !named.MatchString(entry.Name()) || strings.HasSuffix(entry.Name(), ".docs") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(lines.Text(), entry.Name()))
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			for _, match := range licensecheck.Scan(text).Match {
				if !match.IsURL {
					found = append(found, match.ID)
				}
			}
		}
		slices.Sort(found)
		fmt.Printf("%s\t%s\n", lines.Text(), strings.Join(slices.Compact(found), " "))
	}
}
