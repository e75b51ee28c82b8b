// The dashboards of /dashboards.json, drawn by Perses' packages from the Prometheus behind /api.

import { forwardRef, useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import {
  CssBaseline, MenuItem, TextField, ThemeProvider, useMediaQuery,
} from '@mui/material';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import {
  BrowserRouter, Link, Navigate, Route, Routes, useLocation, useNavigate, useParams,
} from 'react-router-dom';
import { QueryParamProvider } from 'use-query-params';
import { ReactRouter6Adapter } from 'use-query-params/adapters/react-router-6';
import {
  ChartsProvider, SnackbarProvider, generateChartsTheme, getTheme,
} from '@perses-dev/components';
import {
  PluginRegistry, ReactRouterProvider, dynamicImportPluginLoader,
} from '@perses-dev/plugin-system';
import { ViewDashboard } from '@perses-dev/dashboards';

import bars from '@perses-dev/bar-chart-plugin/package.json';
import choice from '@perses-dev/static-list-variable-plugin/package.json';
import lines from '@perses-dev/timeseries-chart-plugin/package.json';
import prometheus from '@perses-dev/prometheus-plugin/package.json';
import stat from '@perses-dev/stat-chart-plugin/package.json';
import states from '@perses-dev/status-history-chart-plugin/package.json';
import table from '@perses-dev/table-plugin/package.json';
import text from '@perses-dev/markdown-plugin/package.json';

const plugin = ({ name, version, perses }, importPlugin) => ({
  resource: { kind: 'PluginModule', metadata: { name, version }, spec: perses },
  importPlugin,
});
const pluginLoader = dynamicImportPluginLoader([
  plugin(bars, () => import('@perses-dev/bar-chart-plugin')),
  plugin(choice, () => import('@perses-dev/static-list-variable-plugin')),
  plugin(lines, () => import('@perses-dev/timeseries-chart-plugin')),
  plugin(prometheus, () => import('@perses-dev/prometheus-plugin')),
  plugin(stat, () => import('@perses-dev/stat-chart-plugin')),
  plugin(states, () => import('@perses-dev/status-history-chart-plugin')),
  plugin(table, () => import('@perses-dev/table-plugin')),
  plugin(text, () => import('@perses-dev/markdown-plugin')),
]);

// Where Perses' server would answer, there is one data source: this page's own origin.
const SOURCE = {
  kind: 'GlobalDatasource',
  metadata: { name: 'prometheus' },
  spec: {
    default: true,
    plugin: { kind: 'PrometheusDatasource', spec: { directUrl: location.origin } },
  },
};
const ours = (kind) => kind === undefined || kind === 'PrometheusDatasource';
const datasourceApi = {
  getDatasource: async () => undefined,
  getGlobalDatasource: async ({ kind }) => (ours(kind) ? SOURCE : undefined),
  listDatasources: async () => [],
  listGlobalDatasources: async (kind) => (ours(kind) ? [SOURCE] : []),
  buildProxyUrl: () => location.origin,
};

const dashboards = await (await fetch('/dashboards.json')).json();
const pathOf = ({ metadata }) => `/projects/${metadata.project}/dashboards/${metadata.name}`;

// From one dashboard to another, times and what is chosen stay; the panel that is alone does not.
function useKept() {
  const kept = new URLSearchParams(useLocation().search);
  kept.delete('viewPanelRef');
  return kept.toString();
}

const KeepingLink = forwardRef(function KeepingLink({ href, ...others }, ref) {
  return <Link ref={ref} to={{ pathname: href, search: useKept() }} {...others} />;
});

function Choice({ shown }) {
  const navigate = useNavigate();
  const search = useKept();
  return (
    <TextField
      select
      label="Dashboard"
      value={pathOf(shown)}
      onChange={({ target }) => navigate({ pathname: target.value, search })}
    >
      {dashboards.map((one) => (
        <MenuItem key={pathOf(one)} value={pathOf(one)}>{one.spec.display.name}</MenuItem>
      ))}
    </TextField>
  );
}

function First() {
  return <Navigate to={{ pathname: pathOf(dashboards[0]), search: useKept() }} replace />;
}

// Nothing would be saved.
const NO_EDITING = { '[data-testid="dashboard-toolbar"] > :first-child button': { display: 'none' } };

function Dashboard() {
  const { uid } = useParams();
  const shown = dashboards.find(({ metadata }) => metadata.name === uid);
  useEffect(() => { document.title = shown?.spec.display.name ?? 'QuDAG'; }, [shown]);
  if (!shown) return <First />;
  return (
    <ViewDashboard
      key={uid}
      dashboardResource={shown}
      dashboardTitleComponent={<Choice shown={shown} />}
      datasourceApi={datasourceApi}
      isReadonly
      isVariableEnabled
      isDatasourceEnabled={false}
      sx={NO_EDITING}
    />
  );
}

// What alerts say where Grafana would be: /d/UID?viewPanel=ID.
function FromGrafana() {
  const { uid } = useParams();
  const search = new URLSearchParams(useLocation().search);
  const panel = search.get('viewPanel');
  if (panel) search.set('viewPanelRef', JSON.stringify({ ref: `panel-${panel}` }));
  search.delete('viewPanel');
  const shown = dashboards.find(({ metadata }) => metadata.name === uid) ?? dashboards[0];
  return <Navigate to={{ pathname: pathOf(shown), search: search.toString() }} replace />;
}

function App() {
  const dark = useMediaQuery('(prefers-color-scheme: dark)');
  const theme = getTheme(dark ? 'dark' : 'light');
  theme.components.MuiButtonBase = { defaultProps: { LinkComponent: KeepingLink } };
  return (
    <ThemeProvider theme={theme}>
      <CssBaseline />
      <ChartsProvider chartsTheme={generateChartsTheme(theme, {})}>
        <SnackbarProvider>
          <PluginRegistry
            pluginLoader={pluginLoader}
            defaultPluginKinds={{
              Panel: 'TimeSeriesChart', TimeSeriesQuery: 'PrometheusTimeSeriesQuery',
            }}
          >
            <Routes>
              <Route path="/projects/:project/dashboards/:uid" element={<Dashboard />} />
              <Route path="/d/:uid" element={<FromGrafana />} />
              <Route path="*" element={<First />} />
            </Routes>
          </PluginRegistry>
        </SnackbarProvider>
      </ChartsProvider>
    </ThemeProvider>
  );
}

const client = new QueryClient({
  defaultOptions: { queries: { refetchOnWindowFocus: false, retry: false } },
});
createRoot(document.getElementById('root')).render(
  <BrowserRouter>
    <QueryParamProvider adapter={ReactRouter6Adapter}>
      <QueryClientProvider client={client}>
        <ReactRouterProvider>
          <App />
        </ReactRouterProvider>
      </QueryClientProvider>
    </QueryParamProvider>
  </BrowserRouter>,
);
