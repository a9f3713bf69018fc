// Dashboards of Grafana, read strictly by its own types: a member that its schema does not have, or lacks, is a mistake.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// An empty list of mistakes is none.
func mistake(err error) error {
	if err == nil || err.Error() == "" {
		return nil
	}
	return err
}

func check(name string) error {
	var read dashboard.Dashboard
	text, err := os.ReadFile(name)
	if err == nil {
		err = mistake(read.UnmarshalJSONStrict(text))
	}
	if err == nil {
		err = mistake(read.Validate())
	}
	return err
}

func main() {
	known := cog.NewRuntime() // what else there is takes minutes to compile
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	known.RegisterPanelcfgVariant(heatmap.VariantConfig())
	known.RegisterPanelcfgVariant(stat.VariantConfig())
	known.RegisterPanelcfgVariant(table.VariantConfig())
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	wrong := 0
	for _, name := range os.Args[1:] {
		if err := check(name); err != nil {
			fmt.Printf("%s: %v\n", name, err)
			wrong++
		}
	}
	if wrong > 0 || len(os.Args) < 2 {
		os.Exit(1)
	}
	fmt.Printf("%d dashboards are as Grafana wants them\n", len(os.Args)-1)
}
