/* Panels: the tables of what dashboards show. For gateway/monitoring. */
#ifndef GATEWAY_PANELS_H
#define GATEWAY_PANELS_H

#include <stdint.h>

enum { PANEL_QUERIES_MOST = 3 };

typedef enum PanelKind { PANEL_LINES, PANEL_NUMBER, PANEL_TABLE, PANEL_HEAT } PanelKind;

typedef struct PanelQuery {
    const char *expression; /* NULL: there is none */
    const char *legend;     /* NULL: all labels */
} PanelQuery;

typedef struct Panel {
    const char *title;
    uint32_t with; /* Monitorable: only where the config has it */
    PanelKind kind;
    const char *unit; /* of Grafana */
    PanelQuery queries[PANEL_QUERIES_MOST];
} Panel;

typedef struct Dashboard {
    const char *name, *title; /* the name of its file and in its address */
    uint32_t with;
    const char *variable; /* a label of passerelle_outcomes_total to choose from; NULL: none */
    const Panel *panels;  /* the last one has no title */
} Dashboard;

/* The last one has no name. */
extern const Dashboard dashboards[];

#endif
